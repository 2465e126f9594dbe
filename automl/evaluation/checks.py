"""Whether labels, classes and probabilities fit each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from automl.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROW_SUM_TOLERANCE = 0.02  # a softmax in bfloat16 is that far from 1


def check_predictions(
    labels: tuple[str, ...],
    y_true: NDArray[Any],
    probabilities: NDArray[np.float64],
    paths: tuple[str, ...] | None,
) -> None:
    """Raises a UsageError unless the parts fit each other."""
    classes, images = len(labels), len(y_true) if y_true.ndim else 0
    if classes < 2 or len(set(labels)) < classes:
        raise UsageError(
            f"expected two or more labels, each once, found {list(labels)!r}; name each class once."
        )
    if y_true.ndim != 1 or images == 0 or not np.issubdtype(y_true.dtype, np.integer):
        raise UsageError(
            f"expected the true classes of one or more images as integers [N], found "
            f"{y_true.dtype} of shape {y_true.shape}; give one place in the labels an image."
        )
    if y_true.min() < 0 or y_true.max() >= classes:
        raise UsageError(
            f"expected true classes from 0 to {classes - 1}, found {y_true.min()} to "
            f"{y_true.max()}; give each image's place in the labels."
        )
    if probabilities.shape != (images, classes):
        raise UsageError(
            f"expected probabilities of shape {(images, classes)}, found {probabilities.shape}; "
            f"give one row an image and one column a label."
        )
    outside = ~((probabilities >= 0) & (probabilities <= 1)).all()  # also finds NaN
    if outside or np.abs(probabilities.sum(axis=1) - 1).max() > _ROW_SUM_TOLERANCE:
        raise UsageError(
            "expected probabilities from 0 to 1 whose rows sum to 1, found others; "
            "give the output of a softmax."
        )
    if paths is not None and len(paths) != images:
        raise UsageError(
            f"expected {images} paths, found {len(paths)}; give one an image, or none at all."
        )
