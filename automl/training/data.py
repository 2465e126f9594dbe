"""What a trial is trained on; light, so that a driver that only hands it on stays so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from automl.cache import Cache

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

RARE = 20
"""Images that a class has in any sample of the training images, where there are as many."""


def sample(y: Rows, share: float, seed: int) -> NDArray[np.bool_]:
    """Returns which images are in a sample; what is in a smaller one is in a larger one, too.

    Args:
        y: Class numbers `[N]`.
        share: The share of each class, 0..1.
        seed: 0 or more.
    """
    generator, kept = np.random.default_rng(seed), np.zeros(len(y), bool)
    for number in np.unique(y):
        members = generator.permutation(np.flatnonzero(y == number))
        kept[members[: max(RARE, round(share * len(members)))]] = True
    return kept


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

    def sampled(self, share: float) -> TrainingData:
        """Returns a share (0..1) of the images of each class, in the same folds."""
        kept = sample(self.y, share, self.seed)
        new = np.cumsum(kept) - 1
        folds = [tuple(new[part[kept[part]]] for part in fold) for fold in self.folds]
        return replace(
            self,
            rows=self.rows[kept],
            y=self.y[kept],
            folds=[(train, validation) for train, validation in folds if len(validation)],
        )
