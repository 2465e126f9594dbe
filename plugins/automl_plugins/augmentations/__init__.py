"""The built-in augmentations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import automl
from automl_plugins.augmentations.flip_crop import FlipCrop
from automl_plugins.augmentations.imgaug import Imgaug
from automl_plugins.augmentations.none import NoAugmentation
from automl_plugins.augmentations.trivial import Trivial


@automl.hookimpl
def automl_augmentations(register: Callable[[Any], None]) -> None:
    """Registers the built-in augmentations; the first is the default."""
    register(Trivial())
    register(FlipCrop())
    register(NoAugmentation())
    register(Imgaug())
