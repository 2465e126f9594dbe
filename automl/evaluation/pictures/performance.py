"""Pictures of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from automl.evaluation.curves import Curve
from automl.evaluation.metrics import Evaluation
from automl.evaluation.pictures import style
from automl.evaluation.pictures.style import Picture, canvas, picture
from automl.evaluation.text import shorten

MOST_COUNTED = 30
"""The most classes whose confusion matrix has its counts written in."""

MOST_TICKS = 120
"""The most classes that are named along an axis."""

LARGEST_MATRIX = 12.0
"""The largest side of a confusion matrix, in inches."""

MOST_CURVES = 6
"""The most classes that get a curve of their own."""


@picture
def confusion_matrix(evaluation: Evaluation) -> Picture:
    """Draws images by true class (row) and predicted class (column).

    A cell's colour is its share of the row, so that small classes show as well as large ones.
    Up to 30 classes each cell has its count.
    """
    counts = evaluation.confusion_matrix
    classes = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell = 0.62 if classes <= 6 else max(4.2 / classes, 0.3 if classes <= MOST_COUNTED else 0.07)
    side = min(max(classes * cell, 2.2), LARGEST_MATRIX)
    figure, (axes,) = canvas(side + 1.5, side + 1.3)
    axes.grid(False)
    if classes <= MOST_COUNTED:
        _draw_cells(axes, counts, shares, size=min(11.0, 28 * cell))
    else:
        _draw_raster(axes, shares)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5), aspect="equal")
    _name_classes(axes, evaluation.labels, size=min(9.0, 60 * cell))
    axes.set(xlabel="predicted", ylabel="true")
    return figure


@picture
def roc_curves(evaluation: Evaluation) -> Picture:
    """Draws ROC curves with their areas, each class against the rest.

    Two classes have one curve, of the second; many have their mean and the worst few.
    """
    figure, (axes,) = canvas(4.2, _height_with_legend(evaluation))
    axes.set_title("ROC")
    style.square(axes, "false positive rate", "true positive rate")
    axes.plot([0, 1], [0, 1], color=style.GREY, linewidth=1, linestyle=(0, (3, 3)))
    _draw_curves(figure, axes, evaluation, evaluation.roc, {})
    return figure


@picture
def pr_curves(evaluation: Evaluation) -> Picture:
    """Draws precision-recall curves with their areas (average precision).

    Two classes have one curve, of the second; many have their mean and the worst few.
    """
    figure, (axes,) = canvas(4.2, _height_with_legend(evaluation))
    axes.set_title("precision and recall")
    style.square(axes, "recall", "precision")
    _draw_curves(figure, axes, evaluation, evaluation.pr, {"drawstyle": "steps-pre"})
    return figure


@picture
def reliability_diagram(evaluation: Evaluation) -> Picture:
    """Draws how often predictions of each probability are right; a dot's area is its images."""
    figure, (axes,) = canvas(4.2, 4.4)
    style.square(axes, "probability of the predicted class", "share that is right")
    axes.plot([0, 1], [0, 1], color=style.GREY, linewidth=1, linestyle=(0, (3, 3)))
    bins = evaluation.reliability(bins=10)
    x = [group.confidence for group in bins]
    y = [group.accuracy for group in bins]
    sizes = [30 + 370 * group.images / evaluation.test_images for group in bins]
    axes.vlines(x, x, y, color=style.VERMILLION, linewidth=1.6)
    axes.scatter(x, y, s=sizes, color=style.BLUE, alpha=0.85, linewidth=0, zorder=3, clip_on=False)
    error = evaluation.expected_calibration_error
    axes.set_title(f"calibration: error {error:.3f}")
    return figure


def _height_with_legend(evaluation: Evaluation) -> float:
    """Returns inches that leave the axes the same room above a legend of any length."""
    classes = len(evaluation.labels)
    entries = 1 if classes == 2 else 1 + min(classes, MOST_CURVES)
    return 4.45 + 0.18 * -(-entries // 2)


def _draw_cells(axes: Axes, counts: Any, shares: Any, size: float) -> None:
    """Draws cells as shapes, which stay sharp at any scale, with their counts."""
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        colour = style.BLUE if row == column else style.VERMILLION
        axes.add_patch(
            Rectangle(
                (column - 0.47, row - 0.47),
                0.94,
                0.94,
                # Where nothing is, a faint cell keeps the grid to find one's way by.
                facecolor=colour if count else style.RULE,
                alpha=0.12 + 0.88 * share if count else 0.35,
                linewidth=0,
            )
        )
        if count:
            ink = "white" if share > 0.45 else style.INK
            axes.text(column, row, f"{count}", ha="center", va="center", color=ink, fontsize=size)


def _draw_raster(axes: Axes, shares: Any) -> None:
    """Draws cells as pixels: thousands of shapes would make a page slow."""
    pixels = np.empty((*shares.shape, 4))
    pixels[..., :3] = to_rgb(style.VERMILLION)
    np.einsum("iij->ij", pixels)[:, :3] = to_rgb(style.BLUE)
    pixels[..., 3] = np.where(shares > 0, 0.15 + 0.85 * shares, 0)
    axes.imshow(pixels, interpolation="none")
    axes.add_patch(
        Rectangle(
            (-0.5, -0.5), len(shares), len(shares), fill=False, edgecolor=style.RULE, linewidth=1
        )
    )


def _name_classes(axes: Axes, labels: Sequence[str], size: float) -> None:
    step = -(-len(labels) // MOST_TICKS)
    places = range(0, len(labels), step)
    names = [shorten(labels[place], 18) for place in places]
    upright = len(labels) > 6 or max(map(len, names)) > 9
    axes.set_xticks(places, names, rotation=90 if upright else 0)
    axes.set_yticks(places, names)
    axes.tick_params(length=0, labelsize=size, labelcolor=style.INK)


def _draw_curves(
    figure: Picture,
    axes: Axes,
    evaluation: Evaluation,
    curve_of: Callable[[str | None], Curve | None],
    options: dict[str, Any],
) -> None:
    """Draws the mean in ink and single classes in colours, with a legend of their areas."""
    mean = curve_of(None)
    if mean is None:
        style.empty(axes, "The test images are all of one class.")
        return
    binary = len(evaluation.labels) == 2
    named = [(label, curve_of(label)) for label in evaluation.labels[1 if binary else 0 :]]
    drawn = [(label, curve) for label, curve in named if curve is not None]
    drawn.sort(key=lambda pair: pair[1].area)  # the worst first: few are as telling
    if not drawn:
        drawn = [("mean", mean)]
    elif not binary and len(drawn) > 1:
        axes.plot(
            mean.x,
            mean.y,
            color=style.INK,
            linewidth=2.4,
            label=f"{mean.area:.3f}  mean of {len(drawn)} classes",
            zorder=4,
            **options,
        )
    for (label, curve), colour in zip(drawn[:MOST_CURVES], style.SERIES, strict=False):
        name = f"{curve.area:.3f}  {shorten(label, 16)}"
        axes.plot(curve.x, curve.y, color=colour, label=name, **options)
    legend = figure.legend(
        title=f"area, {MOST_CURVES} worst classes" if len(drawn) > MOST_CURVES else "area",
        loc="outside lower left",
        ncols=2,
        alignment="left",
        title_fontsize=8.5,
    )
    legend.get_title().set_color(style.MUTED)
