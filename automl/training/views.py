"""Views of an image: itself, mirrored, or varied by an augmentation policy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.components import Augmentation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Pixels = NDArray[np.uint8]
    Rows = NDArray[np.int64]
    View = Callable[[Pixels, int], Floats]

BATCH = 32


def plain(images: Pixels, batch_seed: int) -> Floats:
    """Returns uint8 images `[n, side, side, 3]` as they are, in float32."""
    return images.astype(np.float32)


def mirrored(view: View) -> View:
    """Returns the view that shows left to right what `view` shows."""

    def mirror(images: Pixels, batch_seed: int) -> Floats:
        return np.ascontiguousarray(view(images, batch_seed)[:, :, ::-1])

    return mirror


def variations(
    augmentation: Augmentation, params: Mapping[str, Any], seed: int, views: int
) -> list[View]:
    """Returns what makes each view: the images as they are, then as the policy varies them.

    A view makes float32 `[n, side, side, 3]` of uint8 pixels and a seed. Views made anew with
    the same arguments vary the same batches alike.
    """
    import keras

    layers = list(augmentation.layers(params, seed))
    augmenter = augmentation.augmenter(params, seed)
    if not layers and augmenter is None:
        return [plain]
    device = keras.Sequential(layers) if layers else None

    def vary(images: Pixels, batch_seed: int) -> Floats:
        if augmenter is not None:
            return augmenter(images, batch_seed).astype(np.float32)
        assert device is not None
        values = device(images.astype(np.float32), training=True)
        return np.asarray(keras.ops.convert_to_numpy(values), np.float32)

    return [plain, *itertools.repeat(vary, views - 1)]


def batches(pixels: Pixels, rows: Rows, views: Sequence[View]) -> Iterator[Floats]:
    """Yields batches of `pixels[rows]`, one view after another, reading only a batch's rows."""
    seeds = itertools.count()
    for view in views:
        for start in range(0, len(rows), BATCH):
            yield view(pixels[rows[start : start + BATCH]], next(seeds))
