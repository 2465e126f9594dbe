"""The scores against values worked out by hand, and against scikit-learn where it defines them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import automl
from automl.errors import NotFoundError, UsageError, WorkspaceError
from automl.evaluation.metrics import Evaluation

LABELS = ["bowl", "cup", "plate"]


def one_hot(predicted, classes, probability=0.8):
    rows = np.full((len(predicted), classes), (1 - probability) / (classes - 1))
    rows[np.arange(len(predicted)), predicted] = probability
    return rows


def of(y_true, predicted, labels=LABELS, **options):
    return Evaluation.from_predictions(labels, y_true, one_hot(predicted, len(labels)), **options)


@pytest.fixture
def mixed():
    # bowl: 1 of 2 right; cup: 3 of 4; plate: 4 of 4.
    return of([0, 0, 1, 1, 1, 1, 2, 2, 2, 2], [0, 1, 1, 1, 1, 2, 2, 2, 2, 2])


def test_public_name():
    assert automl.Evaluation is Evaluation


def test_single_numbers_by_hand(mixed):
    assert mixed.test_images == 10
    assert mixed.accuracy == pytest.approx(0.8)
    assert mixed.balanced_accuracy == pytest.approx((1 / 2 + 3 / 4 + 1) / 3)
    assert mixed.log_loss == pytest.approx(-(8 * math.log(0.8) + 2 * math.log(0.1)) / 10)
    assert mixed.expected_calibration_error == pytest.approx(0.0, abs=1e-12)
    assert mixed.confusion_matrix.tolist() == [[1, 1, 0], [0, 3, 1], [0, 0, 4]]
    assert mixed.predicted.tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 2, 2]


def test_per_class_by_hand(mixed):
    bowl, cup, plate = mixed.per_class
    assert (bowl.precision, bowl.recall, bowl.support) == (1.0, 0.5, 2)
    assert bowl.f1 == pytest.approx(2 / 3)
    assert (cup.precision, cup.recall, cup.support) == (0.75, 0.75, 4)
    assert (plate.precision, plate.recall, plate.support) == (0.8, 1.0, 4)
    assert mixed.macro.precision == pytest.approx((1 + 0.75 + 0.8) / 3)
    assert mixed.macro.f1 == pytest.approx(np.mean([2 / 3, 0.75, 8 / 9]))
    assert mixed.macro.roc_auc == pytest.approx(np.mean([c.roc_auc for c in mixed.per_class]))


def test_areas_of_a_ranking_by_hand():
    # Scores of b, best first: b a b a. One of the four pairs (b, a) is the wrong way round.
    scores = np.array([0.9, 0.7, 0.6, 0.2])
    evaluation = Evaluation.from_predictions(
        ["a", "b"], [1, 0, 1, 0], np.column_stack([1 - scores, scores])
    )
    roc, pr = evaluation.roc("b"), evaluation.pr("b")
    assert roc.area == pytest.approx(3 / 4)
    assert pr.area == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    assert np.all(np.diff(pr.x) >= 0)
    assert (pr.x[0], pr.x[-1]) == (0, 1)


def test_average_curves_lie_between_the_classes(mixed):
    roc, pr = mixed.roc(), mixed.pr()
    assert roc.area == pytest.approx(mixed.macro.roc_auc)
    # The mean of step functions keeps its area, up to the spacing of the points.
    assert np.mean(pr.y[1:]) == pytest.approx(mixed.macro.average_precision, abs=0.01)
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(roc.area, abs=0.01)


def test_mistakes_are_most_confident_first():
    probabilities = [[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.45, 0.55], [0.3, 0.7]]
    paths = [f"images/{place}.jpg" for place in range(5)]
    evaluation = Evaluation.from_predictions(["a", "b"], [1, 0, 1, 1, 0], probabilities, paths)
    first = evaluation.mistakes[0]
    assert [mistake.index for mistake in evaluation.mistakes] == [1, 4, 0]
    assert (first.path, first.true, first.predicted) == ("images/1.jpg", "a", "b")
    assert first.probability == pytest.approx(0.9)
    assert first.true_probability == pytest.approx(0.1)
    assert [hit.index for hit in evaluation.correct] == [3, 2]


def test_ties_go_to_the_first_class():
    evaluation = Evaluation.from_predictions(["a", "b"], [0, 1], [[0.5, 0.5], [0.5, 0.5]])
    assert evaluation.predicted.tolist() == [0, 0]
    assert evaluation.accuracy == 0.5
    assert evaluation.roc("b").area == 0.5


def test_class_without_test_image_is_left_out_of_the_means():
    evaluation = of([0, 0, 1], [0, 2, 1])
    assert evaluation.absent == ("plate",)
    assert evaluation.balanced_accuracy == pytest.approx((0.5 + 1) / 2)
    assert evaluation.confusion_matrix.shape == (3, 3)
    plate = evaluation.per_class[2]
    assert (plate.precision, plate.recall, plate.support) == (0.0, None, 0)
    assert plate.roc_auc is plate.average_precision is None
    assert evaluation.roc("plate") is evaluation.pr("plate") is None
    assert evaluation.macro.roc_auc == pytest.approx(
        np.mean([evaluation.per_class[0].roc_auc, evaluation.per_class[1].roc_auc])
    )


def test_class_never_predicted_counts_as_zero_in_the_mean():
    evaluation = of([0, 1, 2], [0, 1, 1])
    assert evaluation.per_class[2].precision is None
    assert evaluation.macro.precision == pytest.approx((1 + 0.5 + 0) / 3)


def test_one_image():
    evaluation = of([1], [1])
    assert evaluation.accuracy == evaluation.balanced_accuracy == 1.0
    assert evaluation.macro.roc_auc is None
    assert evaluation.roc() is None
    assert evaluation.pr().area == 1.0
    low, high = evaluation.accuracy_interval()
    assert low < 0.25
    assert high == 1.0
    json.dumps(evaluation.to_dict(), allow_nan=False)


def test_perfect_and_all_wrong():
    places = np.repeat(np.arange(3), 5)
    right, wrong = of(places, places), of(places, (places + 1) % 3)
    assert right.accuracy == right.macro.f1 == right.macro.roc_auc == 1.0
    assert right.mistakes == ()
    assert wrong.accuracy == wrong.balanced_accuracy == wrong.macro.f1 == 0.0
    assert wrong.correct == ()
    assert wrong.accuracy_interval().low == 0.0
    assert wrong.accuracy_interval().high > 0.1


def test_certain_and_wrong_has_a_finite_loss():
    evaluation = Evaluation.from_predictions(["a", "b"], [0, 1], [[0.0, 1.0], [1.0, 0.0]])
    assert math.isfinite(evaluation.log_loss)
    assert evaluation.expected_calibration_error == 1.0


def test_intervals_of_a_small_test_set():
    # 21 of 22: Wilson's interval as Brown, Cai and DasGupta's formula (4) gives it.
    y_true = np.repeat([0, 1, 2], [2, 8, 12])
    predicted = y_true.copy()
    predicted[0] = 1
    evaluation = of(y_true, predicted)
    assert evaluation.accuracy_interval() == pytest.approx((0.7820, 0.9919), abs=1e-4)
    # The recalls' own intervals: 0.0945..0.9055 (1 of 2), from 0.6756 (8 of 8), 0.7575 (12 of 12).
    low = 5 / 6 - math.hypot(0.5 - 0.0945, 1 - 0.6756, 1 - 0.7575) / 3
    high = 5 / 6 + (0.9055 - 0.5) / 3
    assert evaluation.balanced_accuracy_interval() == pytest.approx((low, high), abs=1e-4)
    narrow = evaluation.accuracy_interval(confidence=0.5)
    assert 0.7820 < narrow.low < narrow.high < 0.9919


def test_balanced_interval_of_one_present_class_is_wilsons():
    evaluation = of([1] * 10, [1] * 7 + [0] * 3)
    assert evaluation.balanced_accuracy_interval() == pytest.approx(evaluation.accuracy_interval())


def test_overconfidence_is_the_calibration_error():
    evaluation = Evaluation.from_predictions(["a", "b"], [0, 1] * 10, [[0.9, 0.1]] * 20)
    (only,) = evaluation.reliability()
    assert (only.images, only.accuracy) == (20, 0.5)
    assert only.low < only.confidence <= only.high
    assert evaluation.expected_calibration_error == pytest.approx(0.4)


def test_a_hundred_classes():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(100), size=700)
    y_true = rng.integers(0, 90, size=700)
    labels = [f"class {place}" for place in range(100)]
    evaluation = Evaluation.from_predictions(labels, y_true, probabilities)
    assert evaluation.confusion_matrix.shape == (100, 100)
    assert len(evaluation.per_class) == 100
    assert set(labels[90:]) <= set(evaluation.absent)
    assert evaluation.macro.roc_auc == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("suffix", ["npz", "dict"])
def test_round_trip(suffix, tmp_path):
    rng = np.random.default_rng(1)
    labels = ["<b>&\"'", "Ünïcode 猫", "a/b"]
    evaluation = Evaluation.from_predictions(
        labels, [0, 1, 2, 2], rng.dirichlet(np.ones(3), 4), ["x y", "ü", "\udce9.jpg", "ok"]
    )
    if suffix == "dict":
        copy = Evaluation.from_dict(json.loads(json.dumps(evaluation.to_dict(), allow_nan=False)))
    else:
        evaluation.save(tmp_path / "deep" / "evaluation.npz")
        copy = Evaluation.load(tmp_path / "deep" / "evaluation.npz")
    assert copy.labels == evaluation.labels
    assert copy.paths == evaluation.paths
    assert np.array_equal(copy.probabilities, evaluation.probabilities)
    assert copy.summary() == evaluation.summary()


def test_round_trip_without_paths(tmp_path, mixed):
    mixed.save(tmp_path / "evaluation.npz")
    copy = Evaluation.load(tmp_path / "evaluation.npz")
    assert copy.paths is None
    assert copy.mistakes == mixed.mistakes


def test_load_says_what_is_wrong(tmp_path, mixed):
    with pytest.raises(NotFoundError, match="no such file"):
        Evaluation.load(tmp_path / "nothing.npz")
    mixed.save(tmp_path / "cut.npz")
    whole = (tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WorkspaceError, match="damaged"):
        Evaluation.load(tmp_path / "cut.npz")
    with pytest.raises(WorkspaceError, match="format"):
        Evaluation.from_dict({"format": 99})


def test_nothing_can_be_changed(mixed):
    with pytest.raises(AttributeError):
        mixed.labels = ()
    for array in (mixed.y_true, mixed.probabilities, mixed.predicted, mixed.confusion_matrix):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_callers_arrays_stay_theirs():
    y_true, rows = np.array([0, 1]), one_hot([0, 1], 2)
    evaluation = Evaluation.from_predictions(["a", "b"], y_true, rows)
    y_true[0], rows[0] = 1, [0.0, 1.0]
    assert evaluation.accuracy == 1.0


def test_repr_says_how_little_few_images_say():
    text = repr(of([0, 1, 2], [0, 1, 2]))
    assert "3 images" in text
    assert "interval" in text


@pytest.mark.parametrize(
    ("labels", "y_true", "rows", "paths", "message"),
    [
        (["a"], [0], [[1.0]], None, "two or more labels"),
        (["a", "a"], [0], [[1.0, 0.0]], None, "each once"),
        (["a", "b"], [], np.zeros((0, 2)), None, "one or more images"),
        (["a", "b"], [0.0], [[1.0, 0.0]], None, "integers"),
        (["a", "b"], [2], [[1.0, 0.0]], None, "from 0 to 1"),
        (["a", "b"], [-1], [[1.0, 0.0]], None, "from 0 to 1"),
        (["a", "b"], [0], [[1.0, 0.0, 0.0]], None, "shape"),
        (["a", "b"], [0], [[np.nan, 1.0]], None, "0 to 1"),
        (["a", "b"], [0], [[3.0, -2.0]], None, "0 to 1"),
        (["a", "b"], [0], [[0.9, 0.9]], None, "sum to 1"),
        (["a", "b"], [0], [[1.0, 0.0]], ["x", "y"], "1 paths"),
    ],
)
def test_bad_input_is_one_sentence(labels, y_true, rows, paths, message):
    with pytest.raises(UsageError, match=message) as caught:
        Evaluation.from_predictions(labels, y_true, rows, paths)
    assert str(caught.value).startswith("expected ")
    assert "\n" not in str(caught.value)


def test_unknown_label_suggests_a_near_one(mixed):
    with pytest.raises(UsageError, match="did you mean 'plate'"):
        mixed.roc("plates")


@st.composite
def evaluations(draw, complete=False):
    classes = draw(st.integers(2, 6))
    places = st.integers(0, classes - 1)
    y_true = draw(st.lists(places, min_size=1, max_size=30))
    y_true += range(classes if complete else 0)
    images = len(y_true)
    weights = draw(
        st.lists(
            st.lists(st.integers(0, 5), min_size=classes, max_size=classes).filter(any),
            min_size=images,
            max_size=images,
        )
    )
    rows = np.array(weights) / np.sum(weights, axis=1, keepdims=True)
    return Evaluation.from_predictions([f"c{place}" for place in range(classes)], y_true, rows)


@settings(max_examples=60, deadline=None)
@given(evaluations())
def test_what_always_holds(evaluation):
    matrix, support = evaluation.confusion_matrix, np.bincount(evaluation.y_true)
    assert matrix.sum() == evaluation.test_images
    assert matrix.sum(axis=1)[: len(support)].tolist() == support.tolist()
    assert np.trace(matrix) / matrix.sum() == pytest.approx(evaluation.accuracy)
    recalls = [scores.recall for scores in evaluation.per_class if scores.recall is not None]
    assert np.mean(recalls) == pytest.approx(evaluation.balanced_accuracy)
    assert len(evaluation.mistakes) + len(evaluation.correct) == evaluation.test_images
    for value, interval in (
        (evaluation.accuracy, evaluation.accuracy_interval()),
        (evaluation.balanced_accuracy, evaluation.balanced_accuracy_interval()),
    ):
        assert 0 <= interval.low <= value + 1e-12
        assert value - 1e-12 <= interval.high <= 1
    assert 0 <= evaluation.expected_calibration_error <= 1
    json.dumps(evaluation.to_dict(), allow_nan=False)


@settings(max_examples=25, deadline=None)
@given(evaluations(complete=True))
def test_agrees_with_scikit_learn_where_every_class_is_present(evaluation):
    from sklearn import metrics

    y, predicted = evaluation.y_true, evaluation.predicted
    assert evaluation.balanced_accuracy == pytest.approx(
        metrics.balanced_accuracy_score(y, predicted)
    )
    assert evaluation.macro.f1 == pytest.approx(
        metrics.f1_score(y, predicted, average="macro", zero_division=0)
    )
    if len(evaluation.labels) > 2:
        auc = metrics.roc_auc_score(y, evaluation.probabilities, multi_class="ovr")
        assert evaluation.macro.roc_auc == pytest.approx(auc)
