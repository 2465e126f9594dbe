"""Pictures that are arrays, written as files once, so that all else finds files."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automl.components import ImageRecord
from automl.errors import DataError
from automl.files import appearing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_IN_A_FOLDER = 10_000
"""Files in one folder; more make some tools slow."""


def written(
    x: NDArray[np.uint8],
    y: NDArray[np.int64],
    labels: Sequence[str] | None,
    folder: Path,
) -> list[ImageRecord]:
    """Writes the pictures `x` of the class numbers `y` under `folder`; see `Dataset.from_arrays`.

    Raises:
        DataError: If the arrays are no pictures and class numbers.
    """
    import numpy as np

    x, y = np.asarray(x), np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if x.dtype != np.uint8 or x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] not in (1, 3)):
        raise DataError(
            f"expected pictures as uint8 [N, H, W], [N, H, W, 1] or [N, H, W, 3], found "
            f"{x.dtype} {list(x.shape)}; convert them, to 0..255."
        )
    if y.dtype.kind not in "iu" or y.shape != x.shape[:1]:
        raise DataError(
            f"expected {len(x)} class numbers as integers [N], found {y.dtype} {list(y.shape)}; "
            f"convert them."
        )
    if labels is None:
        labels = [str(number) for number in range(int(y.max(initial=-1)) + 1)]
    if len(y) and not 0 <= y.min() <= y.max() < len(labels):
        raise DataError(
            f"expected class numbers from 0 to {len(labels) - 1}, found {y.min()} to {y.max()}; "
            f"correct them or name all labels."
        )
    digest = hashlib.sha256(f"{x.shape}".encode())
    digest.update(np.ascontiguousarray(x).data)
    names = [labels[number] for number in y.tolist()]
    return list(as_files(x, names, folder / f"arrays-{digest.hexdigest()[:16]}"))


def as_files(
    pictures: NDArray[np.uint8], labels: Iterable[str], folder: Path, split: str | None = None
) -> Iterator[ImageRecord]:
    """Yields a record for each of `pictures`, written as PNG files if `folder` is not there yet.

    Args:
        pictures: uint8 `[N, H, W]`, `[N, H, W, 1]` or `[N, H, W, 3]`.
        labels: Their classes.
        folder: The files' own; what it holds already is taken to be these pictures.
        split: That of all of them.
    """
    from automl.images import encode_png

    if not folder.is_dir():
        with contextlib.suppress(FileExistsError), appearing(folder) as made:
            for number, picture in enumerate(pictures):
                path = made / _file(number)
                path.parent.mkdir(exist_ok=True)
                grey = picture.ndim == 3 and picture.shape[2] == 1
                path.write_bytes(encode_png(picture[:, :, 0] if grey else picture))
    for number, label in enumerate(labels):
        yield ImageRecord(folder / _file(number), label, split)


def _file(number: int) -> str:
    return f"{number // _IN_A_FOLDER:03}/{number:06}.png"
