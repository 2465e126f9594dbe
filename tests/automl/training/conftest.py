"""A little training data of real digits, without a search around it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


@pytest.fixture
def configurations() -> dict[str, dict[str, Any]]:
    """What a trial may be of, by a name: on pixels, and a small network that is trained."""
    frozen = {"backbone": "pixels", "depth": 0, "resolution": 8, "unfreeze": 0.0}
    steps = {"optimizer": "adamw", "lr": 0.01, "schedule": "cosine", "epochs": 4, "batch_size": 16}
    tuned = {
        "backbone": "small-cnn",
        "depth": 2,
        "resolution": 8,
        "unfreeze": 1.0,
        "head": "linear",
        "augmentation": "none",
        **steps,
    }
    return {
        "logistic": {**frozen, "head": "logistic"},
        "linear-svm": {**frozen, "head": "linear-svm"},
        "linear": {**frozen, "head": "linear", **steps},
        "mlp": {**frozen, "head": "mlp", "units": 32, "dropout": 0.1, **steps},
        "tuned": tuned,
        "tuned, then logistic": {**tuned, "head": "logistic"},
    }


@pytest.fixture
def tuned(configurations: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A small network that is trained on pixels."""
    return configurations["tuned"]
