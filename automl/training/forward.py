"""Runs a network on many images, with the engine that is quickest for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from automl.components import Forward, Precision
from automl.plugins import plugin_manager
from automl.training.precision import has_gpu
from automl.training.views import batches, plain

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from automl.training.views import View

    Floats = NDArray[np.float32]

logger = logging.getLogger(__name__)

RUNTIME = "openvino"
"""What networks and deployed models run on where there is no accelerator."""

WORTH = 120.0
"""Work, in billion multiply-adds, from which on preparing the runtime pays: it takes about 2 s
more than Keras does to begin, and does 1.6 to 3 times as much in a second."""


def forward(network: keras.Model, work: float, precision: Precision) -> Forward:
    """Returns what runs `network` quickest.

    Args:
        network: From float32 `[N, ...]` to float32 `[N, ...]`, its weights final.
        work: Billion multiply-adds in all.
        precision: Of the runtime's computation; Keras computes as `network` was built.
    """
    if work >= WORTH and not has_gpu():
        runtimes = plugin_manager().runtimes
        compiled = runtimes[RUNTIME].compile(network, precision) if RUNTIME in runtimes else None
        if compiled is not None:
            return compiled
    return keras_forward(network)


def keras_forward(network: keras.Model) -> Forward:
    """Returns what runs `network` with Keras itself."""

    def run(batches: Iterable[Floats]) -> Iterator[Floats]:
        size = 0
        for batch in batches:
            filled, size = len(batch), max(size, len(batch))
            if filled < size:
                # One batch size, one compiled function.
                batch = np.concatenate([batch, np.repeat(batch[-1:], size - filled, axis=0)])
            yield np.asarray(network.predict_on_batch(batch)[:filled], np.float32)

    return run


def run(
    forward: Forward,
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    progress: Callable[[int], None] = lambda done: None,
    views: Sequence[View] = (plain,),
) -> Floats:
    """Runs `pixels[rows]` in batches, reading only the rows of one batch at a time.

    Args:
        forward: See above.
        pixels: uint8 `[M, side, side, 3]`.
        rows: Row numbers `[N]`, one at least.
        progress: Called with the number of images done so far, over all views.
        views: What of each image is run; see `automl.training.views`.

    Returns:
        float32 `[V * N, ...]`, one view after another.
    """
    values: Floats | None = None
    done = 0
    for outputs in forward(batches(pixels, rows, views)):
        if values is None:
            values = np.empty((len(views) * len(rows), *outputs.shape[1:]), np.float32)
        values[done : done + len(outputs)] = outputs
        done += len(outputs)
        progress(done)
    assert values is not None
    return values


def predict(model: keras.Model, pixels: NDArray[np.uint8], rows: NDArray[np.int64]) -> Floats:
    """Runs `model` on `pixels[rows]` with Keras, its weights as they are now."""
    return run(keras_forward(model), pixels, rows)
