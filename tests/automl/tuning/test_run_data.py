"""The data of a run, as a worker loads it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from automl import Dataset
from automl.cache import Cache
from automl.data.pixels import open_pixels
from automl.data.splits import validation_folds
from automl.training.data import sample
from automl.tuning.run_data import describe_training_data, load_training_data, save_split

SHARE = 0.5


def parts(dataset):
    """Returns the row numbers of training and held-out images."""
    held_out = np.arange(len(dataset)) % 12 == 0
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


@pytest.fixture(scope="module")
def dataset(digits):
    return Dataset.from_folder(digits)


@pytest.fixture(scope="module")
def load(dataset, tmp_path_factory):
    """Loads what is described of pixels."""
    folder = tmp_path_factory.mktemp("run")
    cache = Cache(folder / "cache", time.time())
    train, test = parts(dataset)
    y = dataset.y[train]
    save_split(folder, train, y, test, validation_folds(y, 0)[:3])
    return lambda rows, **options: load_training_data(
        describe_training_data(
            folder, open_pixels(dataset.select(rows), 8, cache), 4, cache, 0, **options
        )
    )


def test_a_sample_that_was_decoded_by_itself_is_the_same(dataset, load):
    train, _ = parts(dataset)
    whole = load(np.arange(len(dataset)), share=SHARE)
    alone = load(train[sample(dataset.y[train], SHARE, 0)], share=SHARE, alone=True)
    assert len(whole.rows) == len(alone.rows) < len(train)
    np.testing.assert_array_equal(whole.pixels[whole.rows], alone.pixels[alone.rows])
    np.testing.assert_array_equal(whole.y, alone.y)
    for first, second in zip(whole.folds, alone.folds, strict=True):
        for mine, yours in zip(first, second, strict=True):
            np.testing.assert_array_equal(mine, yours)


def test_all_images_by_default(dataset, load):
    assert len(load(np.arange(len(dataset))).rows) == len(parts(dataset)[0])
