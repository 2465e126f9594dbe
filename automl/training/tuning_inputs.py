"""What fine-tuning trains a network on: pictures, or what its lower part makes of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.plugins import plugin_manager
from automl.training.cut import VIEWS, activations, cut, views_within_limit
from automl.training.forward import forward
from automl.training.views import variations

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from automl.components import Augmentation, Precision
    from automl.training.data import TrainingData
    from automl.training.frozen import FrozenNetworks

    Rows = NDArray[np.int64]

ABOVE_A_CUT = frozenset(
    {"head", "C", "units", "dropout", "optimizer", "lr", "schedule", "epochs", "batch_size"}
)
"""Dimensions that change nothing about the activations below a cut."""


@dataclass(frozen=True)
class TuningInputs:
    """What a network is trained on: pictures, or what its lower part makes of them.

    Attributes:
        values: All inputs along the first axis, and again for each further view.
        rows: The training images' row numbers `[N]` in the first view.
        trunk: From inputs to features: the network, or its part above a cut.
        views: How many versions of each image `values` holds.
        layers: Augmentation on the device.
        augmenter: Augmentation on the host.
    """

    values: NDArray[Any]
    rows: Rows
    trunk: keras.Model
    views: int = 1
    layers: Sequence[keras.layers.Layer] = ()
    augmenter: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]] | None = None


def tuning_inputs(
    params: Mapping[str, Any],
    data: TrainingData,
    networks: FrozenNetworks,
    precision: Precision,
    pretrained: bool,
    count: Callable[[int], Callable[[int], None]],
) -> TuningInputs:
    """Returns activations where the lower blocks stay as they are, else the pictures.

    Args:
        params: The trial's hyperparameters.
        data: The images.
        networks: The network, not trained yet, and where its features are kept.
        precision: That it computes in.
        pretrained: Whether it has weights that are worth keeping.
        count: Returns, for a number of images in all, what is called with those done.
    """
    policy = plugin_manager().augmentations[params["augmentation"]]
    inputs = _activations(policy, params, data, networks, precision, count) if pretrained else None
    return inputs or TuningInputs(
        data.pixels,
        data.rows,
        networks.model,
        layers=policy.layers(params, data.seed),
        augmenter=policy.augmenter(params, data.seed),
    )


def _activations(
    policy: Augmentation,
    params: Mapping[str, Any],
    data: TrainingData,
    networks: FrozenNetworks,
    precision: Precision,
    count: Callable[[int], Callable[[int], None]],
) -> TuningInputs | None:
    """Returns activations below the trained blocks; `None` where there is no room for them."""
    images = len(data.rows)
    backbone = plugin_manager().backbones[params["backbone"]]
    parts = cut(backbone, networks.model, float(params["unfreeze"]))
    if parts is None:
        return None
    makers = variations(policy, params, data.seed, VIEWS)
    features = networks.path()

    def path(views: int) -> Path:
        below = {name: value for name, value in params.items() if name not in ABOVE_A_CUT}
        content = json.dumps([below, data.seed, views], sort_keys=True, default=str)
        tag = hashlib.sha256(content.encode()).hexdigest()[:16]
        return features.with_name(f"{features.stem}-{tag}.npy")

    views = views_within_limit(
        parts, images, len(makers), lambda views, size: data.cache.fits(path(views), size)
    )
    if views < min(2, len(makers)):  # a single view would be no variation
        return None
    values = activations(
        lambda: forward(parts.lower, networks.work(views=views), precision),
        data.pixels,
        data.rows,
        makers[:views],
        data.cache,
        path(views),
        count(views * images),
    )
    if values is None:
        return None
    return TuningInputs(values, np.arange(images), parts.upper, views=views)
