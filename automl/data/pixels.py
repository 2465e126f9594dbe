"""The pixel cache: every image decoded once a resolution, into one memory-mapped file."""

from __future__ import annotations

import hashlib
import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.cache import Cache
from automl.errors import ImageError
from automl.hardware import cores
from automl.images import DECODER_VERSION, GEOMETRY, OPTIONAL_FORMATS, decode
from automl.memory import keep_freed_memory, release_freed_memory
from automl.resampling import RESAMPLER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from automl.data.dataset import Dataset

_AHEAD = 64
"""Images decoded ahead of the writer: enough to keep both cores busy, small in memory."""

_ESCAPED = re.compile(r"\\x[0-9a-f]{2}")
"""What `Dataset` makes of bytes in a file's name that are no UTF-8."""


@dataclass(frozen=True)
class Pixels:
    """The decoded images of a dataset at one resolution.

    Attributes:
        path: The `.npy` file: uint8 `[N, side, side, 3]`.
        key: What identifies the content, for caches that build on it.
        unreadable: Reasons by row number; those rows are zeros.
    """

    path: Path
    key: str
    unreadable: dict[int, str]

    @property
    def array(self) -> NDArray[np.uint8]:
        """The images, memory-mapped and read-only."""
        return np.load(self.path, mmap_mode="r")  # type: ignore[no-any-return]


def open_pixels(
    dataset: Dataset,
    side: int,
    cache: Cache,
    progress: Callable[[int], None] | None = None,
) -> Pixels:
    """Returns the dataset's images at `side`×`side` pixels, decoding them if needed.

    Args:
        dataset: Its images; unreadable ones become rows of zeros and are listed.
        side: In pixels.
        cache: Keeps the file, whatever its limit: nothing can be done without.
        progress: Called with the number of images done so far.

    Raises:
        WorkspaceError: If the cache cannot be written.
    """
    dataset = dataset.with_ids()
    key = _key(dataset, side)
    path = cache.pixels / f"{key}.npy"
    shape = (len(dataset), side, side, 3)
    cached = _read(cache, path, shape)
    if cached is None:
        cached = {}
        cache.require_room(path, math.prod(shape))
        with cache.writing(path, {"unreadable": cached}) as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for row, image in enumerate(_decoded(dataset.paths, side)):
                if isinstance(image, str):
                    cached[row] = image
                    image = np.zeros((side, side, 3), np.uint8)
                file.write(image.tobytes())
                if progress is not None:
                    progress(row + 1)
    else:
        # The same images may lie elsewhere by now, and the reasons name files.
        for row, reason in cached.items():
            found = _decode(dataset.paths[row], side)
            cached[row] = found if isinstance(found, str) else reason
    return Pixels(path, key, cached)


def _key(dataset: Dataset, side: int) -> str:
    # With what reads more formats, images that were unreadable before have to be tried again.
    decoder = " ".join([str(DECODER_VERSION), RESAMPLER, GEOMETRY, str(side), *OPTIONAL_FORMATS])
    digest = hashlib.sha256(f"{decoder}\n".encode())
    for identity in dataset.ids:
        digest.update(identity.encode())
    return digest.hexdigest()[:32]


def _read(cache: Cache, path: Path, shape: tuple[int, ...]) -> dict[int, str] | None:
    """Returns what a sound cache file lists as unreadable; `None` where it must be made anew."""
    try:
        unreadable = (cache.read(path) or {})["unreadable"]
        if np.load(path, mmap_mode="r").shape != shape:
            return None
        return {int(row): str(why) for row, why in unreadable.items()}
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _decoded(paths: Iterable[str], side: int) -> Iterator[NDArray[np.uint8] | str]:
    """Yields each image, or the reason why it cannot be read, in order."""
    keep_freed_memory()
    with ThreadPoolExecutor(max_workers=cores()) as pool:
        ahead: deque[Future[NDArray[np.uint8] | str]] = deque()
        try:
            for path in paths:
                ahead.append(pool.submit(_decode, path, side))
                if len(ahead) >= _AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
            release_freed_memory()


def _decode(path: str, side: int) -> NDArray[np.uint8] | str:
    try:
        return decode(path, (side, side))
    except ImageError as error:
        if _ESCAPED.search(path) and not Path(path).exists():
            return f"expected a file name in UTF-8, found {path}; rename it."
        return str(error)
