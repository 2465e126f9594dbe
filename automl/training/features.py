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

from automl.components import Forward, Precision
from automl.files import replacing
from automl.training.forward import run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from automl.components import Backbone


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
    pixels_key: str,
    rows: NDArray[np.int64],
    backbone: Backbone,
    depth: int | str,
    weights: str,
    precision: Precision = "float32",
) -> str:
    """Returns what identifies features: pixels, rows, network, its weights, precision."""
    digest = hashlib.sha256(f"{pixels_key} {backbone.name} {depth} {precision}\n".encode())
    digest.update(rows.tobytes())
    digest.update(_weights_id(backbone, depth, weights).encode())
    return digest.hexdigest()[:32]


def compute_features(
    network: Callable[[], Forward],
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    cached: Path,
    progress: Callable[[int], None],
) -> Features:
    """Returns the features of `pixels[rows]`, from the file `cached` where it holds them.

    Features that are larger than the pictures they come from are not worth a file and are
    computed each time.

    Args:
        network: Makes the network ready to run; not called where the cache answers.
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
    forward = network()
    begun = time.perf_counter()
    values = run(forward, pixels, rows, progress)
    seconds = time.perf_counter() - begun
    if values.nbytes <= len(rows) * pixels[0].nbytes:
        with replacing(cached) as file:
            np.save(file, values)
    return Features(values, seconds)


def _weights_id(backbone: Backbone, depth: int | str, weights: str) -> str:
    found = backbone.weights(depth) if weights == "pretrained" else None
    path = found.path if found else Path(weights)
    if path is None or not path.is_file():
        return weights
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
