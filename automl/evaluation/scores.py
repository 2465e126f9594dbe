"""Rows of an evaluation's tables: a class, the mean of the classes, an image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClassScores:
    """The scores of one class against the rest; `None` where a score is not defined.

    Attributes:
        label: The class.
        precision: Of the images called so, the share that is; `None` if none was called so.
        recall: Of the images that are so, the share called so; `None` without test images.
        f1: The harmonic mean of the two; `None` if there is neither an image nor a call.
        support: How many test images the class has.
        roc_auc: The area under the ROC curve; `None` without test images of it or of others.
        average_precision: The area under the PR curve; `None` without test images.
    """

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    roc_auc: float | None
    average_precision: float | None


@dataclass(frozen=True)
class MacroScores:
    """Means over the classes that have test images, each class counting the same.

    Attributes:
        precision: A class that was never predicted counts as 0.
        recall: The class-averaged accuracy.
        f1: The mean of the classes' F1, not the F1 of the means.
        roc_auc: `None` if all test images are of one class.
        average_precision: Likewise over all classes with test images.
    """

    precision: float
    recall: float
    f1: float
    roc_auc: float | None
    average_precision: float


@dataclass(frozen=True)
class Prediction:
    """One test image and what was said about it.

    Attributes:
        index: Its place in the test set, from 0.
        path: Its file, if known.
        true: The label it has.
        predicted: The label it was given.
        probability: Of the predicted label, 0..1.
        true_probability: Of the true label, 0..1.
    """

    index: int
    path: str | None
    true: str
    predicted: str
    probability: float
    true_probability: float
