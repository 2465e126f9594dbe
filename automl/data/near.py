"""Pictures that are nearly the same: encoded again, resized, or slightly cropped.

A hash of a few bits finds copies that were encoded again, and confuses cropped ones with other
pictures of the same subject (`benchmarks/audit.py` measures it). So each picture's few nearest in
a grey thumbnail are candidates; one is registered on the other by scale and shift; and a pair is
taken where they then agree, and agree far better than either does with its next neighbours. That
ratio (Lowe, 2004, https://doi.org/10.1023/B:VISI.0000029664.99615.94) is what tells a copy of a
handwritten 1 from the many others that look like it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from automl.data.registration import SIDE, agreement
from automl.hardware import cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

NEIGHBOURS = 8
"""Candidates of each picture."""

CANDIDATE = 0.75
"""The least correlation of thumbnails of `COARSE` pixels for a candidate."""

COARSE = 16
AGREEMENT = 0.975
"""The least correlation after registration."""

RATIO = 0.3
"""The most of the disagreement with the `OTHERS`-th nearest of the other candidates."""

OTHERS = 5
SURE = 0.995
"""From this correlation on the neighbours do not matter: there may be many copies."""

_BLOCK = 1024


@dataclass(frozen=True)
class NearPair:
    """Two pictures that are nearly the same.

    Attributes:
        first: A row.
        second: A later row.
        score: Their correlation once registered, up to 1.
    """

    first: int
    second: int
    score: float


def thumbnails(pixels: NDArray[np.uint8]) -> Floats:
    """Returns grey thumbnails `[N, 32, 32]`, 0..255, of pictures `[N, side, side, 3]`."""
    from PIL import Image

    def small(picture: NDArray[np.uint8]) -> Floats:
        grey = Image.fromarray(np.asarray(picture)).convert("L")
        size = (SIDE, SIDE)
        return np.asarray(grey.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0), np.float32)

    if not len(pixels):
        return np.zeros((0, SIDE, SIDE), np.float32)
    with ThreadPoolExecutor(cores()) as pool:
        return np.stack(list(pool.map(small, pixels)))


def near_duplicates(pictures: Floats, ids: Sequence[str]) -> list[NearPair]:
    """Returns pairs of nearly the same pictures, the most alike first.

    Files of the same content are no pairs; of each, the first stands for all. Blank pictures
    are like none.

    Args:
        pictures: What `thumbnails` returns.
        ids: What identifies each picture's content.
    """
    _, first = np.unique(np.asarray(ids, str), return_index=True)
    rows = np.sort(first)
    pairs = _candidates(pictures[rows])
    if not len(pairs):
        return []
    scores = agreement(pictures[rows], pairs)
    taken = (scores >= AGREEMENT) & (1 - scores <= RATIO * _usual(pairs, scores, len(rows)))
    taken |= scores >= SURE
    order = np.flatnonzero(taken)[np.argsort(-scores[taken], kind="stable")]
    return [
        NearPair(int(rows[pairs[i, 0]]), int(rows[pairs[i, 1]]), round(float(scores[i]), 4))
        for i in order
    ]


def _candidates(pictures: Floats) -> NDArray[np.int64]:
    """Returns pairs `[P, 2]` of rows, the smaller first, each picture with its nearest."""
    step = SIDE // COARSE
    coarse = pictures.reshape(len(pictures), COARSE, step, COARSE, step).mean((2, 4))
    units = coarse.reshape(len(pictures), COARSE * COARSE)
    units = units - units.mean(axis=1, keepdims=True)
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1.0)
    nearest, pairs = min(NEIGHBOURS, len(units) - 1), [np.zeros((0, 2), np.int64)]
    for start in range(0, len(units) if nearest > 0 else 0, _BLOCK):
        alike = units[start : start + _BLOCK] @ units.T
        alike[np.arange(len(alike)), np.arange(start, start + len(alike))] = -1
        found = np.argpartition(-alike, nearest - 1, axis=1)[:, :nearest]
        row, place = np.nonzero(np.take_along_axis(alike, found, axis=1) >= CANDIDATE)
        pairs.append(np.stack([row + start, found[row, place]], axis=1))
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


def _usual(pairs: NDArray[np.int64], scores: Floats, count: int) -> Floats:
    """Returns how much the pictures of each pair disagree with their other neighbours.

    It is the smaller disagreement of the two with their `OTHERS`-th nearest beside each other; 1
    where there are fewer.
    """
    picture = np.concatenate([pairs[:, 0], pairs[:, 1]])
    apart = np.concatenate([1 - scores] * 2)
    order = np.lexsort((apart, picture))
    starts = np.searchsorted(picture[order], np.arange(count + 1))
    # The pair itself is among a picture's nearest where it may be taken, hence one further.
    place = starts[:-1] + OTHERS
    there = place < starts[1:]
    usual = np.ones(count, np.float32)
    usual[there] = apart[order][place[there]]
    return np.minimum(usual[pairs[:, 0]], usual[pairs[:, 1]])
