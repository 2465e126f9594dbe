"""How good the classifier is, class by class."""

from __future__ import annotations

import numpy as np

from automl.evaluation.metrics import Evaluation
from automl.evaluation.report.figures import figure
from automl.evaluation.report.html import Child, Html, name, tag
from automl.evaluation.report.tables import header, scrolling
from automl.evaluation.text import percent

MOST_CONFUSIONS = 10
"""The most pairs of confused classes to list."""

_COLUMNS = ("class", "precision", "recall", "F1", "ROC AUC", "average precision", "images")


def performance_section(evaluation: Evaluation) -> Html:
    """Returns the confusion matrix, the table of classes, the curves and the calibration."""
    from automl.evaluation import pictures

    binary = len(evaluation.labels) == 2
    one = f"of {evaluation.labels[1]}" if binary else "of each class against the rest"
    roc, pr = evaluation.macro.roc_auc, evaluation.macro.average_precision
    return tag(
        "section",
        tag("h2", "Evaluation"),
        tag("h3", "Confusion matrix"),
        tag(
            "div",
            figure(
                pictures.confusion_matrix(evaluation),
                "confusion",
                f"Confusion matrix: {int(np.trace(evaluation.confusion_matrix))} of "
                f"{evaluation.test_images} images on the diagonal, which is where predictions "
                f"are right.",
                "Rows are what the images show, columns what the model says; a colour's strength "
                "is the share of its row.",
            ),
            _confusions(evaluation),
            class_="pictures matrix" if len(evaluation.labels) <= 12 else "pictures matrix large",
        ),
        tag("h3", "By class"),
        _table(evaluation),
        tag("h3", "Curves and calibration"),
        tag(
            "div",
            figure(
                pictures.roc_curves(evaluation),
                "roc",
                f"ROC curves {one}; mean area {_score(roc)}.",
                f"ROC {one}.",
            ),
            figure(
                pictures.pr_curves(evaluation),
                "pr",
                f"Precision-recall curves {one}; mean average precision {_score(pr)}.",
                f"Precision and recall {one}.",
            ),
            figure(
                pictures.reliability_diagram(evaluation),
                "reliability",
                "Reliability diagram; the expected calibration error is "
                f"{evaluation.expected_calibration_error:.3f}.",
                "On the diagonal a probability means what it says; a dot's size is its images. "
                f"Log-loss {evaluation.log_loss:.3f}.",
            ),
            class_="pictures three",
        ),
        id="evaluation",
    )


def _confusions(evaluation: Evaluation) -> Html:
    matrix = evaluation.confusion_matrix.copy()
    np.fill_diagonal(matrix, 0)
    order = np.argsort(-matrix, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [divmod(int(place), len(matrix)) for place in order]
    rows = [
        tag(
            "tr",
            tag("td", name(evaluation.labels[true], 28)),
            tag("td", name(evaluation.labels[predicted], 28)),
            tag("td", int(matrix[true, predicted]), class_="n"),
        )
        for true, predicted in pairs
        if matrix[true, predicted]
    ]
    if not rows:
        return tag("p", "No class was taken for another.", class_="quiet")
    return tag(
        "table",
        tag("caption", "Most frequent confusions"),
        header(("is", "was called", "images"), {"images"}),
        tag("tbody", rows),
        class_="confusions",
    )


def _table(evaluation: Evaluation) -> Html:
    macro = evaluation.macro
    head = [
        tag("th", tag("button", column, type="button"), scope="col", class_="n" if place else None)
        for place, column in enumerate(_COLUMNS)
    ]
    rows = [
        tag(
            "tr",
            tag("th", name(row.label), scope="row"),
            [
                tag("td", _score(value), class_="n", data_value=value)
                for value in (row.precision, row.recall, row.f1, row.roc_auc, row.average_precision)
            ],
            tag("td", row.support, class_="n"),
        )
        for row in evaluation.per_class
    ]
    means = (macro.precision, macro.recall, macro.f1, macro.roc_auc, macro.average_precision)
    foot: list[Child] = [
        tag("th", "mean of the classes", scope="row"),
        [tag("td", _score(value), class_="n") for value in means],
        tag("td", f"{evaluation.test_images:,}", class_="n"),
    ]
    table = tag(
        "table",
        tag("thead", tag("tr", head)),
        tag("tbody", rows),
        tag("tfoot", tag("tr", foot)),
        class_="sortable",
    )
    return scrolling(table, f"Scores by class; accuracy {percent(evaluation.accuracy)}")


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
