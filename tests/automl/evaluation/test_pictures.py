"""Pictures are drawn for any number of classes and any label, without a warning.

The suite turns warnings into errors, so drawing is the check that none leaks.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from PIL import Image

from automl.evaluation import pictures
from automl.evaluation.metrics import Evaluation

OF_EVALUATIONS = [
    pictures.confusion_matrix,
    pictures.roc_curves,
    pictures.pr_curves,
    pictures.reliability_diagram,
]
ODD = [
    "$x^2$ & <b>",
    "猫と犬",
    "😀 emoji",
    "long/" * 30,
    "",
    "عربي",
    "tab\tand\nline",
    "a\x00\udce9",
]


def evaluation_of(labels, images=300, present=None):
    rng = np.random.default_rng(0)
    classes = len(labels)
    y_true = rng.integers(0, present or classes, images)
    rows = rng.dirichlet(np.full(classes, 0.3), images)
    rows[np.arange(images), y_true] += rng.choice([0.0, 1.0], images)
    return Evaluation.from_predictions(labels, y_true, rows / rows.sum(axis=1, keepdims=True))


def trial(place=0, **changes):
    return {
        "trial": f"{place:04d}",
        "stage": "frozen",
        "status": "completed",
        "hyperparameters": {"backbone": f"family-{place % 8}", "head": "logistic"},
        "score": 0.5 + 0.01 * place,
        "spread": 0.01,
        "seconds": 0.001 * place,
        "finished_at": 2.0 * place,
        **changes,
    }


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("draw", OF_EVALUATIONS)
@pytest.mark.parametrize("classes", [2, 3, 10, 120])
def test_any_number_of_classes(draw, classes):
    picture = draw(evaluation_of([f"class {place}" for place in range(classes)]))
    with Image.open(io.BytesIO(picture.png(dpi=40))) as image:
        assert image.format == "PNG"
        assert np.asarray(image.convert("L")).std() > 1
    assert texts(picture.svg())


@pytest.mark.parametrize("draw", OF_EVALUATIONS)
def test_odd_labels(draw):
    picture = draw(evaluation_of(ODD))
    picture.png(dpi=40)
    ET.fromstring(picture.svg())


def test_labels_stay_text_and_are_no_formulas():
    shown = texts(pictures.confusion_matrix(evaluation_of(ODD)).svg())
    assert {"$x^2$ & <b>", "猫と犬", "😀 emoji", "tab and line", "(empty)"} <= set(shown)


def test_pictures_do_not_depend_on_the_users_style():
    evaluation = evaluation_of(["a", "b", "c"])
    expected = pictures.roc_curves(evaluation).svg()
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"axes.facecolor": "black", "text.color": "red", "font.size": 30}):
        assert pictures.roc_curves(evaluation).svg() == expected
    assert dict(matplotlib.rcParams) == before


def test_counts_are_written_in_the_matrix():
    evaluation = Evaluation.from_predictions(
        ["a", "b"], [0] * 17 + [1] * 5, [[0.9, 0.1]] * 17 + [[0.2, 0.8]] * 5
    )
    assert {"17", "5", "a", "b"} <= set(texts(pictures.confusion_matrix(evaluation).svg()))


def test_two_classes_have_one_curve_of_the_second():
    shown = texts(pictures.roc_curves(evaluation_of(["no", "yes"])).svg())
    assert any("yes" in text for text in shown)
    assert not any("no" in text or "mean" in text for text in shown)


def test_many_classes_have_their_mean_and_the_worst():
    evaluation = evaluation_of([f"class {place}" for place in range(40)])
    shown = texts(pictures.roc_curves(evaluation).svg())
    worst = min(evaluation.per_class, key=lambda scores: scores.roc_auc)
    best = max(evaluation.per_class, key=lambda scores: scores.roc_auc)
    assert f"{worst.roc_auc:.3f}  {worst.label}" in shown
    assert f"{evaluation.macro.roc_auc:.3f}  mean of 40 classes" in shown
    assert not any(text.endswith(best.label) for text in shown)


@pytest.mark.parametrize("draw", OF_EVALUATIONS)
def test_absent_classes_and_a_single_image(draw):
    draw(evaluation_of(["a", "b", "c"], present=2)).svg()
    draw(evaluation_of(["a", "b", "c"], images=1)).svg()
    draw(evaluation_of(["a", "b"], images=5, present=1)).svg()


def test_search_pictures():
    rows = [trial(place) for place in range(20)]
    rows.append(trial(20, stage="fine-tune", score=0.9, seconds=80.0))
    rows.append(trial(21, status="failed", score=None, error="no room"))
    assert {"fine-tuned", "others"} <= set(texts(pictures.score_by_seconds(rows).svg()))
    assert {"best", "fine-tuned"} <= set(texts(pictures.best_so_far(rows).svg()))


@pytest.mark.parametrize(
    "draw", [pictures.score_by_seconds, pictures.score_by_cost, pictures.best_so_far]
)
@pytest.mark.parametrize("rows", [[], [trial(score=None)], [trial()]])
def test_search_pictures_of_little(draw, rows):
    draw(rows).png(dpi=40)


@pytest.mark.parametrize(
    "history",
    [
        {"loss": [1.0, 0.5], "val_loss": [1.1, 0.7], "accuracy": [0.4, 0.8], "val_accuracy": [0.5]},
        {"loss": [1.0, None, float("inf"), 0.4], "val_loss": [None, None]},
        {"loss": [0.3]},
        {},
        None,
    ],
)
def test_learning_curves(history):
    pictures.learning_curves(trial(history=history)).png(dpi=40)


def test_svg_without_background_is_transparent():
    picture = pictures.roc_curves(evaluation_of(["a", "b"]))
    assert "#ffffff" in picture.svg()
    assert "#ffffff" not in picture.svg(background=False)
