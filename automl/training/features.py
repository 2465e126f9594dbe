"""Frozen features: a backbone's output for every training image, computed once and kept."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.cache import Cache
from automl.components import Forward, Precision
from automl.errors import WorkspaceError
from automl.training.forward import run
from automl.training.views import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from automl.components import Backbone
    from automl.training.views import View

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Features:
    """Features of the training images.

    Attributes:
        values: float32 `[N, F]`.
        seconds: What computing them took; 0 where they came from the cache.
        varied: Those of augmented views, float32 `[V * N, F]`, one view after another. Heads are
            fitted on them too, and never judged.
    """

    values: NDArray[np.float32]
    seconds: float = 0.0
    varied: NDArray[np.float32] | None = None

    def to_fit(
        self, positions: NDArray[np.int64], y: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Returns what a head is fitted on at `positions`, all views, and the class numbers."""
        if self.varied is None:
            return self.values[positions], y[positions]
        views = np.split(self.varied, len(self.varied) // len(self.values))
        features = np.concatenate([view[positions] for view in (self.values, *views)])
        return features, np.tile(y[positions], 1 + len(views))


def features_key(
    pixels_key: str,
    rows: NDArray[np.int64],
    backbone: Backbone,
    depth: int | str,
    weights: str,
    precision: Precision = "float32",
    smaller: bool = False,
) -> str:
    """Returns what identifies features: pixels and their size, rows, network, its precision."""
    network = f"{backbone.name} {depth} {precision}{' smaller' if smaller else ''}"
    digest = hashlib.sha256(f"{pixels_key} {network}\n".encode())
    digest.update(rows.tobytes())
    digest.update(_weights_id(backbone, depth, weights).encode())
    return digest.hexdigest()[:32]


def compute_features(
    network: Callable[[], Forward],
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    cache: Cache,
    path: Path,
    progress: Callable[[int], None],
    views: Sequence[View] = (plain,),
) -> Features:
    """Returns the features of `pixels[rows]`, from the cache's file `path` where it holds them.

    Features that are larger than the pictures they come from are not worth a file, and those for
    which the cache has no room get none; they are computed each time.

    Args:
        network: Makes the network ready to run; not called where the cache answers.
        pixels: uint8 `[M, side, side, 3]`.
        rows: Row numbers `[N]`.
        cache: Keeps the file.
        path: The cache file for exactly these features.
        progress: Called with the number of images done so far, over all views.
        views: What of each image is run; see `automl.training.views`.
    """
    values = _load(cache, path, len(views) * len(rows))
    if values is not None:
        return Features(values, 0.0)
    forward = network()
    begun = time.perf_counter()
    values = np.ascontiguousarray(run(forward, pixels, rows, progress, views))
    seconds = time.perf_counter() - begun
    if values.nbytes <= len(values) * pixels[0].nbytes and cache.make_room(path, values.nbytes):
        try:
            with cache.writing(path) as file:
                header = np.lib.format.header_data_from_array_1_0(values)
                np.lib.format.write_array_header_1_0(file, header)
                file.write(values.data)  # `np.save` overlooks a full disk
        except WorkspaceError as error:
            logger.warning("features are used and not kept: %s", error)
    return Features(values, seconds)


def _load(cache: Cache, path: Path, count: int) -> NDArray[np.float32] | None:
    if cache.read(path) is None:
        return None
    try:
        values: NDArray[np.float32] = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return values if len(values) == count and np.isfinite(values).all() else None


def _weights_id(backbone: Backbone, depth: int | str, weights: str) -> str:
    found = backbone.weights(depth) if weights == "pretrained" else None
    path = found.path if found else Path(weights)
    if path is None or not path.is_file():
        return weights
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
