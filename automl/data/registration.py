"""How well two pictures agree once one is laid on the other by scale and shift.

Gauss-Newton steps on the squared difference, with brightness and contrast free (Lucas and Kanade,
1981; Baker and Matthews, 2004, https://doi.org/10.1023/B:VISI.0000011205.11775.fd), for many small
pictures at a time. As there is no rotation, a warped picture is two matrix products.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Pairs = NDArray[np.int64]

SIDE = 32
"""The pictures' side in pixels."""

CLOSE = 0.9
"""From this correlation on it is worth registering the other way round too."""

WORTHWHILE = 0.93
"""What correlates less after the first step is not followed further."""

MOST_SHIFT = 0.08
"""Of the side; a crop of 5 % a side moves the middle by half of that."""

MOST_SCALE = 0.19
_BLOCK = 4096
_DAMPING = 1e-4
_GRID = ((np.arange(SIDE) + 0.5) / SIDE - 0.5).astype(np.float32)


def agreement(pictures: Floats, pairs: Pairs) -> Floats:
    """Returns the correlation of each pair of pictures, one registered on the other.

    Both ways are tried where one comes close, as only one of them is a crop of the other.

    Args:
        pictures: `[N, 32, 32]`, 0..255.
        pairs: Rows, `[P, 2]`.
    """
    scores = np.zeros(len(pairs), np.float32)
    for start in range(0, len(pairs), _BLOCK):
        part = pairs[start : start + _BLOCK]
        found = _registered(pictures, part[:, 0], part[:, 1])
        close = np.flatnonzero(found >= CLOSE)
        other_way = _registered(pictures, part[close, 1], part[close, 0])
        found[close] = np.maximum(found[close], other_way)
        scores[start : start + _BLOCK] = found
    return scores


def _registered(pictures: Floats, moving: Pairs, fixed: Pairs) -> Floats:
    """Returns the correlations after up to two steps."""
    warp = np.zeros((len(moving), 4), np.float32)
    best, warp = _step(pictures[moving], pictures[fixed], warp)
    for last in (False, True):
        left = np.arange(len(moving)) if not last else np.flatnonzero(best >= WORTHWHILE)
        found, warp[left] = _step(pictures[moving[left]], pictures[fixed[left]], warp[left])
        best[left] = np.maximum(best[left], found)
    return best


def _step(moving: Floats, fixed: Floats, warp: Floats) -> tuple[Floats, Floats]:
    """Returns the correlations with `warp`, and a better warp.

    Args:
        moving: `[P, 32, 32]`.
        fixed: `[P, 32, 32]`.
        warp: By how much of the side x is shifted and stretched, then y: `[P, 4]`.
    """
    seen = _resampling(warp[:, 2:]) @ moving @ _resampling(warp[:, :2]).transpose(0, 2, 1)
    a = seen - seen.mean(axis=(1, 2), keepdims=True)
    b = fixed - fixed.mean(axis=(1, 2), keepdims=True)
    power = (a * a).sum(axis=(1, 2)) * (b * b).sum(axis=(1, 2))
    correlation = (a * b).sum(axis=(1, 2)) / np.sqrt(power + 1)
    dy, dx = np.gradient(seen, axis=(1, 2))
    directions = [dx, dx * _GRID, dy, dy * _GRID[:, None], seen / SIDE, np.ones_like(seen)]
    basis = np.stack(directions, axis=1).reshape(len(seen), 6, SIDE * SIDE)
    normal = basis @ basis.transpose(0, 2, 1)
    damping = _DAMPING * np.trace(normal, axis1=1, axis2=2) + 1e-3
    normal += damping[:, None, None] / 6 * np.eye(6, dtype=np.float32)
    solution = np.linalg.solve(normal, basis @ fixed.reshape(len(seen), SIDE * SIDE, 1))[:, :, 0]
    contrast = solution[:, 4:5] / SIDE
    moved = solution[:, :4] / np.where(np.abs(contrast) > 0.2, contrast, 1) / SIDE
    shift, scale = MOST_SHIFT / 2, MOST_SCALE / 2
    limit = np.array([shift, scale, shift, scale], np.float32)
    return correlation, np.clip(warp + np.clip(moved, -limit, limit), -2 * limit, 2 * limit)


def _resampling(warp: Floats) -> Floats:
    """Returns matrices `[P, 32, 32]` that interpolate along one axis, edges repeated."""
    place = ((1 + warp[:, 1:]) * _GRID + warp[:, :1] + 0.5) * SIDE - 0.5
    place = np.clip(place, 0, SIDE - 1)
    below = np.minimum(place.astype(np.int64), SIDE - 2)
    share = (place - below).astype(np.float32)
    matrices = np.zeros((len(warp), SIDE, SIDE), np.float32)
    pair, row = np.arange(len(warp))[:, None], np.arange(SIDE)
    matrices[pair, row, below] = 1 - share
    matrices[pair, row, below + 1] = share
    return matrices
