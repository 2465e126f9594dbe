"""The heads made of scikit-learn's linear classifiers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from automl.components import AffineHead, EstimatorHead
from automl.errors import TrialError, UsageError
from automl_plugins.heads.linear_svm import LinearSVM
from automl_plugins.heads.logistic import Logistic

HEADS = [Logistic(), LinearSVM()]
both = pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)


def data(rows: int, columns: int, classes: int) -> tuple[Any, Any]:
    """Overlapping groups of uneven size, on features of uneven scale, some of them alike."""
    rng = np.random.default_rng(rows + columns)
    labels = rng.choice(classes, rows, p=np.arange(1, classes + 1) / sum(range(classes + 1)))
    centers = rng.normal(0, 0.4, (classes, columns))
    features = (centers[labels] + rng.normal(0, 1, (rows, columns))) * rng.uniform(1, 50, columns)
    features[:, 1] = features[:, 0]
    return (features + 100).astype(np.float32), labels.astype(np.int64)


def standardised(features: Any) -> Any:
    doubles = features.astype(np.float64)
    deviation = doubles.std(axis=0)
    floor = 0.1 * np.sqrt((deviation**2).mean())
    return (doubles - doubles.mean(axis=0)) / np.maximum(deviation, floor)


def fitted(head: EstimatorHead, features: Any, labels: Any, classes: int, **params: Any) -> Any:
    found = head.fit(features, labels, classes, params, 0)
    assert isinstance(found, AffineHead)
    return found


@pytest.mark.parametrize(
    ("rows", "columns"), [(30, 90), (200, 20)], ids=["fewer rows than features", "more rows"]
)
@pytest.mark.parametrize("classes", [2, 4])
class TestSameAsScikitLearn:
    def test_logistic(self, rows: int, columns: int, classes: int):
        features, labels = data(rows, columns, classes)
        reference = LogisticRegression(C=0.01, class_weight="balanced", tol=1e-8, max_iter=5000)
        expected = reference.fit(standardised(features), labels).decision_function(
            standardised(features)
        )
        logits = fitted(Logistic(), features, labels, classes, C=0.01).logits(features)
        if classes == 2:
            assert (logits[:, 0] == 0).all()
            logits = logits[:, 1]
        np.testing.assert_allclose(logits, expected, atol=0.01)

    def test_linear_svm(self, rows: int, columns: int, classes: int):
        features, labels = data(rows, columns, classes)
        reference = LinearSVC(C=0.001, class_weight="balanced", tol=1e-8, max_iter=100_000)
        expected = reference.fit(standardised(features), labels).decision_function(
            standardised(features)
        )
        logits = fitted(LinearSVM(), features, labels, classes, C=0.001).logits(features)
        if classes == 2:
            assert (logits[:, 0] == 0).all()
            logits = logits[:, 1]
        np.testing.assert_allclose(logits, expected, atol=0.01)


@both
class TestEstimatorHeads:
    def test_a_path_gives_what_single_fits_give(self, head: EstimatorHead):
        features, labels = data(40, 60, 3)
        path = head.path({"C": "path"})
        together = head.fit_path(features, labels, 3, path, 0)
        for params, each in zip(path, together, strict=True):
            alone = head.fit(features, labels, 3, params, 0)
            np.testing.assert_allclose(each.logits(features), alone.logits(features), atol=1e-5)

    def test_the_path_begins_with_the_strongest_penalty(self, head: EstimatorHead):
        strengths = [params["C"] for params in head.path({"C": "path", "lr": 1})]
        assert strengths == sorted(strengths)
        assert len(strengths) > 3
        assert head.path({"lr": 1})[0]["lr"] == 1

    @pytest.mark.parametrize("value", [0.25, "0.25", "2.5e-1"])
    def test_a_pinned_strength_is_the_whole_path(self, head: EstimatorHead, value: Any):
        assert [dict(params) for params in head.path({"C": value})] == [{"C": 0.25}]

    @pytest.mark.parametrize("value", ["soft", 0, -1, "nan", "inf", None])
    def test_a_strength_that_is_none_is_refused(self, head: EstimatorHead, value: Any):
        with pytest.raises(UsageError, match="expected C to be a positive number"):
            head.path({"C": value})

    def test_rare_features_are_not_blown_up(self, head: EstimatorHead):
        features, labels = data(200, 20, 3)
        features[:, 2] = 0.0
        features[7, 2] = 1e-3  # as a pixel at the edge that is lit once
        found = fitted(head, features, labels, 3, C=0.01)
        features[:, 2] = 1e-3
        changed = found.logits(features) - found.logits(features * (np.arange(20) != 2))
        assert np.abs(changed).max() < 0.01

    def test_a_class_without_images_never_wins_and_stays_finite(self, head: EstimatorHead):
        features, labels = data(60, 10, 3)
        labels = np.array([0, 2, 4])[labels]
        logits = fitted(head, features, labels, 6, C=0.01).logits(features)
        assert set(logits.argmax(axis=1)) <= {0, 2, 4}
        assert np.isfinite(logits).all()

    def test_two_of_five_classes_keep_their_places(self, head: EstimatorHead):
        features, labels = data(60, 10, 2)
        logits = fitted(head, features, labels * 2 + 1, 5, C=0.01).logits(features)
        chosen = logits.argmax(axis=1)
        assert set(chosen) == {1, 3}
        assert (chosen == labels * 2 + 1).mean() > 0.7

    def test_a_single_class_is_always_chosen(self, head: EstimatorHead):
        features, _ = data(10, 10, 2)
        logits = fitted(head, features, np.full(10, 2), 4, C=0.01).logits(features)
        assert (logits.argmax(axis=1) == 2).all()

    def test_features_that_are_not_finite_are_refused(self, head: EstimatorHead):
        features, labels = data(30, 10, 3)
        features[3, 3] = np.inf
        with pytest.raises(TrialError, match="expected finite features"):
            fitted(head, features, labels, 3, C=0.01)

    def test_constant_features_are_no_trouble(self, head: EstimatorHead):
        labels = np.array([0, 1, 2, 0, 1, 2])
        logits = fitted(head, np.ones((6, 5), np.float32), labels, 3, C=0.01).logits(
            np.ones((1, 5), np.float32)
        )
        assert np.isfinite(logits).all()
        assert np.ptp(logits) < 0.01


def test_a_solver_stopped_early_is_no_warning_and_other_warnings_are_passed_on():
    from automl_plugins.heads.linear_estimator import ignore_early_stops

    features, labels = data(200, 20, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ignore_early_stops()
        LogisticRegression(C=1e6, max_iter=2).fit(features, labels)
        with pytest.raises(UserWarning, match="look here"):
            warnings.warn("look here", UserWarning, stacklevel=1)
