"""A little training data of real digits, without a search around it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from automl.cache import Cache
from automl.data.splits import validation_folds
from automl.training.data import TrainingData

MakeData = Callable[..., TrainingData]


@pytest.fixture(scope="session")
def scans() -> tuple[np.ndarray, np.ndarray]:
    """120 scans of the digits 0 to 3 as uint8 `[N, 8, 8, 3]`, and their classes."""
    from sklearn.datasets import load_digits

    found = load_digits()
    chosen = np.flatnonzero(found.target < 4)[:120]
    grey = np.rint(found.images[chosen] * 255 / 16).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1), found.target[chosen].astype(np.int64)


@pytest.fixture
def make_data(scans: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> MakeData:
    """Makes training data, with the first ten scans kept out of it."""

    def make(side: int = 8, images: int = 110, folds: int = 2, limit: int = 10**9) -> TrainingData:
        pixels, y = scans
        pixels = pixels.repeat(side // 8, axis=1).repeat(side // 8, axis=2)
        rows = np.arange(10, 10 + images)
        parts = validation_folds(y[rows], 0)[:folds]
        cache = Cache(tmp_path, time.time(), limit)
        return TrainingData(pixels, "digits", rows, y[rows], 4, parts, cache, seed=0)

    return make
