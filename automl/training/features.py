"""Frozen features: a backbone's output for every training image, computed once and kept."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.files import replacing

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from automl.components import Backbone

BATCH = 32


@dataclass(frozen=True)
class Features:
    """Features of the training images.

    Attributes:
        values: float32 `[N, F]`.
        seconds: What computing them took; 0 where they came from the cache.
    """

    values: NDArray[np.float32]
    seconds: float


def features_key(
    pixels_key: str, rows: NDArray[np.int64], backbone: Backbone, depth: int | str, weights: str
) -> str:
    """Returns what identifies features: the pixels, the rows, the network and its weights."""
    digest = hashlib.sha256(f"{pixels_key} {backbone.name} {depth} float32\n".encode())
    digest.update(rows.tobytes())
    digest.update(_weights_id(backbone, depth, weights).encode())
    return digest.hexdigest()[:32]


def compute_features(
    network: Callable[[], keras.Model],
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    cached: Path,
    progress: Callable[[int], None],
) -> Features:
    """Returns the features of `pixels[rows]`, from the file `cached` where it holds them.

    Features that are larger than the pictures they come from are not worth a file and are
    computed each time.

    Args:
        network: Builds or returns the network; not called where the cache answers.
        pixels: uint8 `[M, side, side, 3]`.
        rows: Row numbers `[N]`.
        cached: The cache file for exactly these features.
        progress: Called with the number of images done so far.
    """
    try:
        values = np.load(cached)
        if values.shape[0] == len(rows) and np.isfinite(values).all():
            os.utime(cached)
            return Features(values, 0.0)
    except (OSError, ValueError, EOFError):
        pass  # not there, or damaged: made anew below
    model = network()
    begun = time.perf_counter()
    values = predict(model, pixels, rows, progress)
    seconds = time.perf_counter() - begun
    if values.nbytes <= len(rows) * pixels[0].nbytes:
        with replacing(cached) as file:
            np.save(file, values)
    return Features(values, seconds)


def predict(
    model: keras.Model,
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    progress: Callable[[int], None] = lambda done: None,
) -> NDArray[np.float32]:
    """Runs `model` on `pixels[rows]` in batches, reading only the rows of one batch at a time.

    Returns:
        float32 `[len(rows), F]`.
    """
    values = np.empty((len(rows), int(model.output_shape[-1])), np.float32)
    for start in range(0, len(rows), BATCH):
        batch = pixels[rows[start : start + BATCH]].astype(np.float32)
        filled = len(batch)
        if filled < BATCH and start > 0:
            # One batch size, one compiled function.
            batch = np.concatenate([batch, np.repeat(batch[-1:], BATCH - filled, axis=0)])
        values[start : start + filled] = model.predict_on_batch(batch)[:filled]
        progress(min(start + BATCH, len(rows)))
    return values


def _weights_id(backbone: Backbone, depth: int | str, weights: str) -> str:
    found = backbone.weights(depth) if weights == "pretrained" else None
    path = found.path if found else Path(weights)
    if path is None or not path.is_file():
        return weights
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
