"""Scores of what was left out, and calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score

from automl.training.scoring import balanced_accuracy, fit_temperature, out_of_fold_score


def answers(y, wrong=()):
    """Returns logits that are right but at the positions `wrong`."""
    logits = np.zeros((len(y), 3), np.float32)
    for place, label in enumerate(y):
        logits[place, (label + (place in wrong)) % 3] = 5
    return logits


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40),
)
def test_balanced_accuracy_is_scikit_learns(pairs):
    y = np.array([true for true, _ in pairs])
    predicted = np.array([answer for _, answer in pairs])
    logits = np.eye(4, dtype=np.float32)[predicted]
    classes = np.unique(y)
    expected = np.mean([np.mean(predicted[y == label] == label) for label in classes])
    assert balanced_accuracy(y, logits) == pytest.approx(expected)
    if len(classes) > 1 and set(predicted) <= set(y):  # otherwise scikit-learn warns
        assert balanced_accuracy(y, logits) == pytest.approx(balanced_accuracy_score(y, predicted))


def test_folds_are_pooled_before_they_are_scored():
    y = np.array([0, 0, 0, 1, 2, 2])
    folds = [(np.array([3, 4, 5]), np.array([0, 1, 2])), (np.arange(3), np.array([3, 4, 5]))]
    logits = [answers(y[:3], wrong=[0]), answers(y[3:])]
    score, spread = out_of_fold_score(y, folds, logits)
    assert score == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert spread == pytest.approx(np.std([2 / 3, 1]))


def test_repetitions_are_averaged():
    y = np.array([0, 1, 2])
    everything = (np.arange(0), np.arange(3))
    logits = [answers(y), answers(y, wrong=[1]), answers(y, wrong=[0, 1, 2])]
    score, _ = out_of_fold_score(y, [everything] * 3, logits)
    assert score == pytest.approx((1 + 2 / 3 + 0) / 3)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_a_known_temperature_is_recovered(temperature):
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (20_000, 4)).astype(np.float32)
    probabilities = softmax(logits / temperature, axis=1)
    y = np.array([generator.choice(4, p=row / row.sum()) for row in probabilities.astype(float)])
    found, log_loss = fit_temperature(y, logits, len(y))
    assert found == pytest.approx(temperature, rel=0.05)
    entropy = -np.mean(np.sum(probabilities * np.log(probabilities + 1e-12), axis=1))
    assert log_loss == pytest.approx(entropy, abs=0.03)


def test_few_images_without_an_error_do_not_ask_for_certainty():
    y = np.array([0, 1, 2] * 4)
    temperature, _ = fit_temperature(y, answers(y), len(y))
    confidence = softmax(answers(y)[:1] / temperature, axis=1).max()
    assert 0.8 < confidence < 0.97


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e20])
def test_temperature_of_extreme_logits_is_finite(scale):
    y = np.array([0, 1, 2] * 4)
    temperature, log_loss = fit_temperature(y, answers(y) * np.float32(scale), len(y))
    assert 0 < temperature <= 50
    assert np.isfinite(log_loss)
