"""The built-in sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import automl


@automl.hookimpl
def automl_image_sources(register: Callable[[Any], None]) -> None:
    """Registers the built-in image sources."""
    from automl_plugins.sources.folder import FolderSource

    register(FolderSource())
