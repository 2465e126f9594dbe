"""Findings about files: unreadable ones, false names, blank pictures, sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.audit.finding import Finding
from automl.errors import ImageError
from automl.hardware import cores
from automl.images import ImageInfo, probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from automl.data.dataset import Dataset

BLANK = 6.0
"""The most that a blank picture's grey values, 0..255, are apart."""

MOST_TIMES = 8.0
"""How many times larger or smaller than the median side a picture may be."""

NARROW = 6.0
"""How many times longer than the other a side may be."""

_FORMATS: Mapping[str, frozenset[str]] = {
    ".avif": frozenset({"AVIF"}),
    ".bmp": frozenset({"BMP"}),
    ".gif": frozenset({"GIF"}),
    ".jfif": frozenset({"JPEG", "MPO"}),
    ".jp2": frozenset({"JPEG2000"}),
    ".jpeg": frozenset({"JPEG", "MPO"}),
    ".jpg": frozenset({"JPEG", "MPO"}),
    ".pgm": frozenset({"PPM"}),
    ".png": frozenset({"PNG"}),
    ".ppm": frozenset({"PPM"}),
    ".tif": frozenset({"TIFF"}),
    ".tiff": frozenset({"TIFF"}),
    ".webp": frozenset({"WEBP"}),
}


def file_findings(
    dataset: Dataset, unreadable: Mapping[int, str], thumbnails: NDArray[np.float32]
) -> Iterator[Finding]:
    """Yields what can be told of each file by itself.

    Args:
        dataset: The images.
        unreadable: Reasons by row.
        thumbnails: Grey, `[N, 32, 32]`, 0..255.
    """
    paths = dataset.paths
    for row, reason in unreadable.items():
        yield Finding("unreadable", (paths[row],), 1.0, reason, rows=(row,))
    spread = np.ptp(thumbnails.reshape(len(paths), -1), axis=1)
    for blank in np.flatnonzero(spread <= BLANK).tolist():
        if blank not in unreadable:
            detail = f"grey values at most {spread[blank]:.0f} of 255 apart"
            score = 1.0 - float(spread[blank]) / 255
            yield Finding("blank", (paths[blank],), score, detail, rows=(blank,))
    with ThreadPoolExecutor(cores()) as pool:
        infos = list(pool.map(_probe, paths))
    yield from _false_formats(paths, infos)
    yield from _extreme_sizes(paths, infos)


def _probe(path: str) -> ImageInfo | None:
    try:
        return probe(path)
    except ImageError:
        return None


def _false_formats(paths: list[str], infos: list[ImageInfo | None]) -> Iterator[Finding]:
    for row, (path, info) in enumerate(zip(paths, infos, strict=True)):
        suffix = Path(path).suffix.lower()
        if info is not None and suffix in _FORMATS and info.format not in _FORMATS[suffix]:
            detail = f"named {suffix}, but {info.format}"
            yield Finding("false_format", (path,), 1.0, detail, rows=(row,))


def _extreme_sizes(paths: list[str], infos: list[ImageInfo | None]) -> Iterator[Finding]:
    sides = {
        row: float(np.sqrt(info.width * info.height))
        for row, info in enumerate(infos)
        if info is not None
    }
    usual = float(np.median(list(sides.values()))) if sides else 1.0
    for row, side in sides.items():
        info = infos[row]
        assert info is not None
        size = f"{info.width}×{info.height} pixels"
        times = max(side / usual, usual / side)
        narrow = max(info.width / info.height, info.height / info.width)
        worst = max(times / MOST_TIMES, narrow / NARROW)
        if worst > 1:
            others = f"{size}; the others are about {usual:.0f} pixels a side"
            yield Finding("extreme_size", (paths[row],), worst, others, rows=(row,))
