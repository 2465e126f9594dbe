"""The contract of a backbone."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from automl.components import Backbone, Weights
from automl.errors import WeightsUnavailableError
from automl.testing.expect import check_name, expect, expect_raises


def check_backbone(
    backbone: Backbone, depth: int | str | None = None, resolution: int | None = None
) -> None:
    """Checks what a backbone says about itself, and one network that it builds.

    Args:
        backbone: The component.
        depth: Which network to build; its cheapest where not given.
        resolution: The input side in pixels; the smallest that suits the depth where not given.

    Raises:
        AssertionError: With one sentence, if the contract is broken.
    """
    name = check_name(backbone)
    depths = list(backbone.depths)
    expect(
        depths and len(set(depths)) == len(depths),
        f"expected {name}.depths to name at least one depth, each once, found {depths}.",
    )
    for each in depths:
        _check_description(backbone, each)
    depth = depths[0] if depth is None else depth
    side = min(backbone.resolutions_for(depth)) if resolution is None else resolution
    model = backbone.build(depth, side, None)
    _check_model(name, model, side)
    _check_blocks(backbone, model)
    _check_rebuilt(backbone, depth, side, model)
    if backbone.pretrained:
        _check_pretrained(backbone, depth, side)


def _check_description(backbone: Backbone, depth: int | str) -> None:
    what = f"{backbone.name} {depth}"
    sides = list(backbone.resolutions_for(depth))
    expect(
        sides and all(isinstance(side, int) and side > 0 for side in sides),
        f"expected resolutions of {what} to be whole numbers of pixels, found {sides}.",
    )
    costs = [backbone.cost(depth, side) for side in sorted(sides)]
    expect(
        all(math.isfinite(cost) and cost >= 0 for cost in costs) and costs == sorted(costs),
        f"expected the cost of {what} to be finite and not to fall with the resolution, "
        f"found {costs} for {sorted(sides)}.",
    )
    weights = backbone.weights(depth)
    if not backbone.pretrained:
        expect(
            weights is None,
            f"expected {what}, which is not pretrained, to name no weights, found {weights}.",
        )
        return
    expect(
        isinstance(weights, Weights) and (weights.path is None or weights.path.exists()),
        f"expected {what} to name its weights, with a path that exists or None, found {weights!r}.",
    )


def _check_model(name: str, model: Any, side: int) -> None:
    expect(
        model.input_shape == (None, side, side, 3),
        f"expected {name} to take [N, {side}, {side}, 3], found {model.input_shape}.",
    )
    expect(
        len(model.output_shape) == 2 and isinstance(model.output_shape[1], int),
        f"expected {name} to return features [N, F] with a fixed F, found {model.output_shape}.",
    )
    images = _pictures(side)
    features = _features(model, images)
    expect(
        features.dtype == np.float32 and features.shape == (len(images), model.output_shape[1]),
        f"expected {name} to return float32 [{len(images)}, {model.output_shape[1]}], found "
        f"{features.dtype} {list(features.shape)}.",
    )
    expect(
        np.isfinite(features).all(),
        f"expected {name} to return finite features for values from 0 to 255, found others.",
    )
    expect(
        np.ptp(features, axis=0).max() > 0,
        f"expected {name} to tell a black picture from noise, found the same features for all.",
    )
    alone = np.concatenate([_features(model, images[i : i + 1]) for i in range(len(images))])
    expect(
        np.allclose(alone, features, rtol=1e-3, atol=1e-3 * np.abs(features).max()),
        f"expected {name} to treat each picture of a batch alone, found features that depend "
        f"on the rest of the batch.",
    )


def _check_blocks(backbone: Backbone, model: Any) -> None:
    layers = {layer.name: layer for layer in model.layers}
    named = [layer for block in backbone.blocks(model) for layer in block]
    unknown = sorted(set(named) - set(layers))
    expect(
        not unknown,
        f"expected {backbone.name}.blocks to name layers of the model, found {unknown}.",
    )
    expect(
        len(set(named)) == len(named),
        f"expected {backbone.name}.blocks to hold each layer once, found some twice.",
    )
    can_train = any(layers[layer].trainable_weights for layer in named)
    expect(
        can_train == backbone.trainable,
        f"expected {backbone.name}.trainable to say whether its blocks have trainable weights, "
        f"found {backbone.trainable} and weights that say {can_train}.",
    )


def _check_rebuilt(backbone: Backbone, depth: int | str, side: int, model: Any) -> None:
    """A finished model is built anew in another process and given its saved weights."""
    images = _pictures(side)
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "backbone.weights.h5"
        model.save_weights(saved)
        rebuilt = backbone.build(depth, side, None)
        rebuilt.load_weights(saved)
    expect(
        np.allclose(_features(rebuilt, images), _features(model, images), rtol=1e-4, atol=1e-4),
        f"expected {backbone.name} built anew with its saved weights to return the same "
        f"features, found others; keep everything it learnt or drew in its weights.",
    )


def _check_pretrained(backbone: Backbone, depth: int | str, side: int) -> None:
    what = f"{backbone.name} {depth}"
    with expect_raises(WeightsUnavailableError, f"{what} with a weights file that is missing"):
        backbone.build(depth, side, str(Path(tempfile.gettempdir()) / "no-such-weights.h5"))
    weights = backbone.weights(depth)
    if weights is None or weights.path is None:
        return
    images = _pictures(side)
    first, second = (_features(backbone.build(depth, side, "pretrained"), images) for _ in range(2))
    expect(
        np.isfinite(first).all() and np.allclose(first, second, rtol=1e-4, atol=1e-4),
        f"expected {what} with pretrained weights to be the same network each time, found "
        f"features that differ; some weights stayed random.",
    )


def _pictures(side: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Black, white and noise: float32 `[4, side, side, 3]` in 0..255."""
    noise = np.random.default_rng(0).integers(0, 256, (2, side, side, 3))
    flat = [np.zeros((1, side, side, 3)), np.full((1, side, side, 3), 255.0)]
    return np.concatenate([*flat, noise]).astype(np.float32)


def _features(model: Any, images: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    import keras

    features: np.ndarray[Any, np.dtype[np.float32]] = keras.ops.convert_to_numpy(
        model(images, training=False)
    )
    return features
