"""MNIST's own files: pictures and class numbers as IDX arrays."""

from __future__ import annotations

import gzip
import hashlib
import math
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from automl.components import ImageRecord, ImageSource
from automl.data.arrays import as_files
from automl.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_IMAGES = re.compile(r"(.*)images[-.]idx3-ubyte(\.gz)?\Z")
_UBYTE = 8
"""IDX's code for unsigned bytes, which pictures and class numbers are."""

MAX_BYTES = 4_000_000_000
"""The largest array that is read."""


class IdxSource(ImageSource):
    """Reads a folder with pairs such as `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`.

    Files may be gzipped; those that begin with `t10k` or `test` are the split test. The format is
    described at http://yann.lecun.com/exdb/mnist. The pictures are written as PNG files.
    """

    name = "idx"

    def accepts(self, location: str) -> bool:
        """Says whether such files are there."""
        return bool(_pairs(Path(location)))

    def read(self, location: str, folder: Path) -> Iterator[ImageRecord]:
        """Yields the pictures, file by file, in their order.

        Raises:
            DataError: If a file is missing, cut off or something else.
        """
        pairs = _pairs(Path(location))
        if not pairs:
            raise DataError(f"expected IDX files at {location}, found none; check the path.")
        for images, labels, prefix in pairs:
            x, y = _array(images, 3), _array(labels, 1)
            if len(x) != len(y):
                raise DataError(
                    f"expected as many class numbers as pictures ({len(x):,}), found {len(y):,} in "
                    f"{labels}; bring the files that belong together."
                )
            split = _split(prefix) if len(pairs) > 1 else None
            place = (
                folder
                / f"idx-{hashlib.sha256(repr(x.shape).encode() + x.tobytes()).hexdigest()[:16]}"
            )
            yield from as_files(x, map(str, y.tolist()), place, split)


def _pairs(place: Path) -> list[tuple[Path, Path, str]]:
    """Returns the files of pictures and of class numbers, and what their names begin with."""
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    pairs = []
    for images in files:
        match = _IMAGES.match(images.name)
        if match and images.is_file():
            labels = images.with_name(re.sub(r"images([-.])idx3", r"labels\1idx1", images.name))
            pairs.append((images, labels, match[1].lower()))
    return pairs


def _split(prefix: str) -> str:
    return "test" if re.search(r"t10k|test", prefix) else "train"


def _open(path: Path) -> IO[Any]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _array(path: Path, dimensions: int) -> NDArray[np.uint8]:
    import numpy as np

    try:
        with _open(path) as file:
            zero, code, found = struct.unpack(">HBB", file.read(4))
            if (zero, code, found) != (0, _UBYTE, dimensions):
                raise ValueError(f"the header {zero:04x}{code:02x}{found:02x}")
            shape = struct.unpack(f">{found}I", file.read(4 * found))
            size = math.prod(shape)
            if not 0 < size <= MAX_BYTES:
                raise ValueError(f"the shape {list(shape)}")
            content = file.read(size + 1)
        if len(content) != size:
            raise ValueError(f"{'more' if len(content) > size else 'fewer'} than {size:,} values")
    except (OSError, EOFError, ValueError, struct.error, zlib.error, MemoryError) as error:
        raise DataError(
            f"expected unsigned bytes in {dimensions} dimensions as IDX in {path}, found "
            f"{' '.join(str(error).split()) or 'it cut off'}; download it again."
        ) from error
    return np.frombuffer(content, np.uint8).reshape(shape)
