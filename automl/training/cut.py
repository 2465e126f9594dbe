"""Fine-tuning from a cut: what lies below the trained blocks is computed once and kept.

Training the last blocks of a network never changes what the blocks below them return, so those
returns (activations) are computed once, for each image and for a few augmented views of it, and
the blocks above are trained on them alone.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from automl.cache import Cache
from automl.components import Backbone, Forward
from automl.errors import TrialError, WorkspaceError
from automl.training.views import batches

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from automl.training.views import View

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]

VIEWS = 4
"""How many versions of an image are kept: itself, and augmented ones."""

TRIES = 12
"""Layers that are tried as the cut, going down from the first trained block."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cut:
    """A network in two parts, which share its layers and so its weights.

    Attributes:
        lower: From pixels to activations; none of its weights is trained.
        upper: From activations to the network's features.
    """

    lower: keras.Model
    upper: keras.Model


def trained_blocks(backbone: Backbone, network: keras.Model, share: float) -> set[str]:
    """Returns the names of the layers in the last `share` (0..1) of the network's blocks."""
    blocks = backbone.blocks(network)
    count = math.ceil(share * len(blocks))
    return {name for block in blocks[len(blocks) - count :] for name in block}


def cut(backbone: Backbone, network: keras.Model, share: float) -> Cut | None:
    """Cuts `network` below its last `share` (0..1) of blocks.

    Returns:
        `None` if nothing lies below, or no single tensor leads from there to the rest.
    """
    import keras

    trained = trained_blocks(backbone, network, share)
    names = [layer.name for layer in network.layers]
    first = min((names.index(name) for name in trained), default=0)
    for index in range(first - 1, max(0, first - 1 - TRIES), -1):
        tensor = network.layers[index].output
        try:
            upper = keras.Model(tensor, network.output)
        except ValueError:  # another path goes around it
            continue
        return Cut(keras.Model(network.input, tensor), upper)
    return None


def views_within_limit(cut: Cut, images: int, wanted: int, fits: Callable[[int, int], bool]) -> int:
    """Returns how many views' activations may be kept; 0 for none.

    Args:
        cut: Where the activations are.
        images: How many have views.
        wanted: The most views.
        fits: Says of views and their bytes whether there is room.
    """
    each = images * 2 * int(math.prod(cut.lower.output_shape[1:]))
    return next((views for views in range(wanted, 0, -1) if fits(views, views * each)), 0)


def activations(
    make_forward: Callable[[], Forward],
    pixels: NDArray[np.uint8],
    rows: Rows,
    views: Sequence[View],
    cache: Cache,
    path: Path,
    progress: Callable[[int], None],
) -> NDArray[np.floating[Any]] | None:
    """Returns the activations of `pixels[rows]`, from the cache's file `path` where it holds them.

    Args:
        make_forward: Makes the lower part ready to run; not called where the cache answers.
        pixels: uint8 `[M, side, side, 3]`.
        rows: Row numbers `[N]`.
        views: What makes each; see `automl.training.views`.
        cache: Keeps the file.
        path: The cache file for exactly these activations.
        progress: Called with the number of images done so far, over all views.

    Returns:
        float16 `[V * N, ...]`, memory-mapped, one view after another; float32 where the values
        do not fit that. `None` where the file has no room or cannot be written.

    Raises:
        TrialError: If the network returns what is not finite.
    """
    count = len(views) * len(rows)
    kept = _load(cache, path, count)
    if kept is not None:
        return kept
    forward = make_forward()
    for kind in (np.float16, np.float32):
        outputs = forward(batches(pixels, rows, views))
        first = next(outputs)
        size = count * math.prod(first.shape[1:]) * np.dtype(kind).itemsize
        if not cache.make_room(path, size):
            return None
        try:
            with cache.writing(path) as file:
                _write(file, itertools.chain([first], outputs), count, kind, progress)
        except OverflowError:
            continue
        except WorkspaceError as error:
            logger.warning("activations are done without: %s", error)
            return None
        return _load(cache, path, count)
    raise TrialError("expected finite activations, found others; use other weights.")


def _write(
    file: IO[bytes],
    outputs: Iterable[Floats],
    count: int,
    kind: type[np.floating[Any]],
    progress: Callable[[int], None],
) -> None:
    """Writes `outputs`, `count` rows in all, as an array of `kind`.

    Raises:
        OverflowError: If a value is beyond that.
    """
    done = 0
    for batch in outputs:
        with np.errstate(over="ignore"):  # it shows below
            values = batch.astype(kind)
        if not np.isfinite(values).all():
            raise OverflowError
        if not done:
            shape = (count, *values.shape[1:])
            header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
        file.write(values.tobytes())
        done += len(values)
        progress(done)


def _load(cache: Cache, path: Path, count: int) -> NDArray[np.floating[Any]] | None:
    if cache.read(path) is None:
        return None
    try:
        values: NDArray[np.floating[Any]] = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return values if len(values) == count else None
