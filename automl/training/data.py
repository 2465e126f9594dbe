"""What a trial is trained on; light, so that a driver that only hands it on stays so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.cache import Cache

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]


@dataclass(frozen=True)
class TrainingData:
    """The training images of a run, at one resolution.

    Attributes:
        pixels: uint8 `[M, side, side, 3]`, memory-mapped; rows not in `rows` are not read.
        pixels_key: What identifies the pixels, for caches.
        rows: The training images' row numbers `[N]`.
        y: Their class numbers `[N]`.
        classes: The number of classes.
        folds: (training, validation) positions in `rows`.
        cache: Where features are kept.
        seed: The run's seed.
    """

    pixels: NDArray[np.uint8]
    pixels_key: str
    rows: Rows
    y: Rows
    classes: int
    folds: Sequence[tuple[Rows, Rows]]
    cache: Cache
    seed: int
