"""Samples of the training images."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.cache import Cache
from automl.data.splits import validation_folds
from automl.training.data import RARE, TrainingData
from automl.training.trial import Trial


def data_of(y, cache_at="/nonexistent"):
    rows = np.arange(3, 3 + len(y))
    pixels = np.zeros((len(y) + 3, 8, 8, 3), np.uint8)
    cache = Cache(cache_at, time.time(), 10**9)
    return TrainingData(
        pixels, "none", rows, y, int(y.max()) + 1, validation_folds(y, 0)[:3], cache, seed=0
    )


@given(
    counts=st.lists(st.integers(5, 400), min_size=2, max_size=5),
    shares=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
)
def test_a_sample_has_its_share_of_every_class(counts, shares, tmp_path_factory):
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    data = data_of(y, tmp_path_factory.getbasetemp())
    small, large = (data.sampled(share) for share in sorted(shares))
    assert set(small.rows) <= set(large.rows) <= set(data.rows)
    class_of = dict(zip(data.rows.tolist(), y.tolist(), strict=True))
    assert [class_of[row] for row in small.rows] == small.y.tolist()
    for number, count in enumerate(counts):
        wanted = min(count, max(RARE, round(min(shares) * count)))
        assert np.sum(small.y == number) == wanted


@given(share=st.floats(0.05, 1))
def test_a_sample_keeps_everyone_in_the_same_fold(share, tmp_path_factory):
    data = data_of(np.arange(300) % 4, tmp_path_factory.getbasetemp())
    sample = data.sampled(share)
    assert len(sample.folds) == len(data.folds)
    for (train, validation), (some, judged) in zip(data.folds, sample.folds, strict=True):
        assert set(sample.rows[some]) == set(data.rows[train]) & set(sample.rows)
        assert set(sample.rows[judged]) == set(data.rows[validation]) & set(sample.rows)


def test_a_trial_on_a_sample_takes_that_many_images(make_data):
    params = {
        "backbone": "pixels",
        "depth": "pixels",
        "resolution": 8,
        "unfreeze": 0.0,
        "head": "logistic",
        "C": "path",
    }
    trial = Trial(params, make_data().sampled(0.8))
    result = trial.judge()
    assert result.score > 0.8
    assert len(trial.data.rows) == pytest.approx(0.8 * 110, abs=3)
    assert trial.refit(result.temperature).model is not None
