"""How good a classifier is on images that it has not seen."""

from __future__ import annotations

import difflib
import functools
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.errors import NotFoundError, UsageError, WorkspaceError
from automl.evaluation import calibration, curves, intervals
from automl.evaluation.calibration import ReliabilityBin
from automl.evaluation.checks import check_predictions
from automl.evaluation.curves import Curve
from automl.evaluation.intervals import Interval
from automl.evaluation.scores import ClassScores, MacroScores, Prediction
from automl.files import replacing

if TYPE_CHECKING:
    import os

    from numpy.typing import ArrayLike, NDArray

FORMAT = 1


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """A classifier's predictions on held-out images, and every score that follows from them.

    Make one with `from_predictions`. Nothing in it can be changed.

    Attributes:
        labels: The C classes, in the order of the columns; two or more.
        y_true: int64 `[N]`, the true classes as places in `labels`; at least one.
        probabilities: float64 `[N, C]`, 0..1, each row summing to 1.
        paths: The N files, or `None` if not known.
    """

    labels: tuple[str, ...]
    y_true: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    paths: tuple[str, ...] | None

    @classmethod
    def from_predictions(
        cls,
        labels: Sequence[str],
        y_true: ArrayLike,
        probabilities: ArrayLike,
        paths: Sequence[str | os.PathLike[str]] | None = None,
    ) -> Evaluation:
        """Makes an evaluation of N images.

        Args:
            labels: The C classes, in the order of the columns of `probabilities`.
            y_true: Integers `[N]` in `0..C-1`.
            probabilities: Floats `[N, C]`, 0..1, each row summing to 1.
            paths: The N files, to show the mistakes by.

        Raises:
            UsageError: If shapes, ranges or sums are otherwise.
        """
        names = tuple(str(label) for label in labels)
        places = np.array(y_true)
        scores = np.array(probabilities, dtype=np.float64)
        files = None if paths is None else tuple(str(path) for path in paths)
        check_predictions(names, places, scores, files)
        places = places.astype(np.int64)
        places.flags.writeable = scores.flags.writeable = False
        return cls(names, places, scores, files)

    # --- Single numbers -------------------------------------------------------------------

    @property
    def test_images(self) -> int:
        """How many images were scored."""
        return len(self.y_true)

    @functools.cached_property
    def accuracy(self) -> float:
        """The share of images that is right, 0..1."""
        from sklearn.metrics import accuracy_score

        return float(accuracy_score(self.y_true, self.predicted))

    @functools.cached_property
    def balanced_accuracy(self) -> float:
        """The class-averaged accuracy: the mean recall of the classes, 0..1.

        A class without a test image has no recall and is left out of the mean, as in
        scikit-learn; `absent` names such classes.
        """
        return self.macro.recall

    @functools.cached_property
    def log_loss(self) -> float:
        """The mean negative log-probability of the true class, in nats."""
        from sklearn.metrics import log_loss

        # scikit-learn warns where a row's sum is off by rounding.
        rows = self.probabilities / self.probabilities.sum(axis=1, keepdims=True)
        return float(log_loss(self.y_true, rows, labels=np.arange(len(self.labels))))

    @functools.cached_property
    def expected_calibration_error(self) -> float:
        """The mean distance of confidence and accuracy in 15 bins, 0..1."""
        return calibration.expected_calibration_error(self.reliability())

    def accuracy_interval(self, confidence: float = 0.95) -> Interval:
        """Returns Wilson's interval of `accuracy`: with few images it is wide."""
        return intervals.wilson(int(self._right.sum()), self.test_images, confidence)

    def balanced_accuracy_interval(self, confidence: float = 0.95) -> Interval:
        """Returns an interval of `balanced_accuracy`, from the Wilson intervals of the recalls."""
        present = self._support > 0
        hits = np.diag(self.confusion_matrix)[present]
        return intervals.mean_wilson(hits.tolist(), self._support[present].tolist(), confidence)

    # --- By class -------------------------------------------------------------------------

    @functools.cached_property
    def absent(self) -> tuple[str, ...]:
        """The labels without a test image."""
        return tuple(label for label, n in zip(self.labels, self._support, strict=True) if n == 0)

    @functools.cached_property
    def confusion_matrix(self) -> NDArray[np.int64]:
        """int64 `[C, C]`: images by true class (row) and predicted class (column)."""
        from sklearn.metrics import confusion_matrix

        places = np.arange(len(self.labels))
        matrix: NDArray[np.int64] = confusion_matrix(self.y_true, self.predicted, labels=places)
        matrix.flags.writeable = False
        return matrix

    @functools.cached_property
    def per_class(self) -> tuple[ClassScores, ...]:
        """The scores of each class, in the order of `labels`."""
        precision, recall, f1 = self._precision_recall_f1(range(len(self.labels)), None, np.nan)
        return tuple(
            ClassScores(
                label=label,
                precision=_defined(precision[place]),
                recall=_defined(recall[place]),
                f1=_defined(f1[place]),
                support=int(self._support[place]),
                roc_auc=_area(self._roc[place]),
                average_precision=_area(self._pr[place]),
            )
            for place, label in enumerate(self.labels)
        )

    @functools.cached_property
    def macro(self) -> MacroScores:
        """The means over the classes that have test images."""
        present = np.flatnonzero(self._support).tolist()
        precision, recall, f1 = self._precision_recall_f1(present, "macro", 0.0)
        roc, pr = self.roc(), self.pr()
        return MacroScores(
            precision=float(precision),
            recall=float(recall),
            f1=float(f1),
            roc_auc=_area(roc),
            average_precision=pr.area if pr else 0.0,
        )

    def roc(self, label: str | None = None) -> Curve | None:
        """Returns the ROC curve of `label` against the rest, or the classes' mean curve.

        Returns:
            `None` without test images of the label, or of anything else.

        Raises:
            UsageError: If there is no such label.
        """
        if label is None:
            return curves.average_roc([curve for curve in self._roc if curve])
        return self._roc[self._place(label)]

    def pr(self, label: str | None = None) -> Curve | None:
        """Returns the precision-recall curve of `label`, or the classes' mean curve.

        Returns:
            `None` without test images of the label.

        Raises:
            UsageError: If there is no such label.
        """
        if label is None:
            return curves.average_pr([curve for curve in self._pr if curve])
        return self._pr[self._place(label)]

    # --- By image -------------------------------------------------------------------------

    @functools.cached_property
    def predicted(self) -> NDArray[np.int64]:
        """int64 `[N]`: the most probable class; the first of equals."""
        places: NDArray[np.int64] = self.probabilities.argmax(axis=1).astype(np.int64)
        places.flags.writeable = False
        return places

    @functools.cached_property
    def mistakes(self) -> tuple[Prediction, ...]:
        """The images that are wrong, the most confident first."""
        return self._predictions(np.flatnonzero(~self._right), most_confident_first=True)

    @functools.cached_property
    def correct(self) -> tuple[Prediction, ...]:
        """The images that are right, the least confident first: the narrow ones."""
        return self._predictions(np.flatnonzero(self._right), most_confident_first=False)

    def reliability(self, bins: int = 15) -> list[ReliabilityBin]:
        """Groups the images by the probability of their predicted class."""
        return calibration.reliability(self.probabilities.max(axis=1), self._right, bins)

    # --- In and out -----------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """Returns every number as JSON-safe values, with `None` for what is not defined."""
        return {
            "test_images": self.test_images,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval()),
            "balanced_accuracy": self.balanced_accuracy,
            "balanced_accuracy_interval": list(self.balanced_accuracy_interval()),
            "log_loss": self.log_loss,
            "expected_calibration_error": self.expected_calibration_error,
            "macro": asdict(self.macro),
            "per_class": [asdict(scores) for scores in self.per_class],
            "confusion_matrix": self.confusion_matrix.tolist(),
            "absent": list(self.absent),
        }

    def to_dict(self) -> dict[str, Any]:
        """Returns the predictions and their `summary` as JSON-safe values."""
        return {
            "format": FORMAT,
            "labels": list(self.labels),
            "y_true": self.y_true.tolist(),
            "probabilities": self.probabilities.tolist(),
            "paths": None if self.paths is None else list(self.paths),
            "summary": self.summary(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Evaluation:
        """Makes an evaluation of what `to_dict` returned; the summary is computed anew.

        Raises:
            WorkspaceError: If it is of another format.
        """
        if content.get("format") != FORMAT:
            raise WorkspaceError(
                f"expected an evaluation of format {FORMAT}, found {content.get('format')!r}; "
                f"upgrade automl or evaluate again."
            )
        return cls.from_predictions(
            content["labels"], content["y_true"], content["probabilities"], content["paths"]
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the predictions to `path` (`.npz`), whole or not at all."""
        about = {
            "format": FORMAT,
            "labels": self.labels,
            "paths": self.paths,
            "summary": self.summary(),
        }
        with replacing(Path(path)) as file:
            np.savez_compressed(
                file,
                about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
                y_true=self.y_true,
                probabilities=self.probabilities,
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Evaluation:
        """Reads what `save` wrote.

        Raises:
            NotFoundError: If there is no such file.
            WorkspaceError: If it cannot be understood.
        """
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                about = json.loads(arrays["about"].tobytes())
                rows = {"y_true": arrays["y_true"], "probabilities": arrays["probabilities"]}
            return cls.from_dict({**about, **rows})
        except FileNotFoundError:
            raise NotFoundError(
                f"expected an evaluation at {path}, found no such file; evaluate first."
            ) from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, UsageError) as error:
            raise WorkspaceError(
                f"expected a readable evaluation, found {path} damaged ({error}); evaluate again."
            ) from error

    def __repr__(self) -> str:
        balanced, accuracy = self.balanced_accuracy_interval(), self.accuracy_interval()
        return (
            f"<Evaluation of {self.test_images} images in {len(self.labels)} classes: "
            f"balanced accuracy {self.balanced_accuracy:.4f} "
            f"(95 % interval {balanced.low:.3f} to {balanced.high:.3f}), "
            f"accuracy {self.accuracy:.4f} ({accuracy.low:.3f} to {accuracy.high:.3f})>"
        )

    # --- Parts ----------------------------------------------------------------------------

    @functools.cached_property
    def _right(self) -> NDArray[np.bool_]:
        right: NDArray[np.bool_] = self.predicted == self.y_true
        return right

    @functools.cached_property
    def _support(self) -> NDArray[np.int64]:
        return np.bincount(self.y_true, minlength=len(self.labels))

    @functools.cached_property
    def _roc(self) -> list[Curve | None]:
        return [
            curves.roc_curve(self.y_true == place, self.probabilities[:, place])
            for place in range(len(self.labels))
        ]

    @functools.cached_property
    def _pr(self) -> list[Curve | None]:
        return [
            curves.pr_curve(self.y_true == place, self.probabilities[:, place])
            for place in range(len(self.labels))
        ]

    def _precision_recall_f1(
        self, places: Sequence[int], average: str | None, undefined: float
    ) -> tuple[Any, Any, Any]:
        from sklearn.metrics import precision_recall_fscore_support

        precision, recall, f1, _ = precision_recall_fscore_support(
            self.y_true,
            self.predicted,
            labels=list(places),
            average=average,
            zero_division=undefined,
        )
        return precision, recall, f1

    def _predictions(
        self, images: NDArray[np.intp], most_confident_first: bool
    ) -> tuple[Prediction, ...]:
        confidence = self.probabilities[images].max(axis=1)
        order = np.argsort(-confidence if most_confident_first else confidence, kind="stable")
        return tuple(
            Prediction(
                index=index,
                path=self.paths[index] if self.paths else None,
                true=self.labels[self.y_true[index]],
                predicted=self.labels[self.predicted[index]],
                probability=float(self.probabilities[index, self.predicted[index]]),
                true_probability=float(self.probabilities[index, self.y_true[index]]),
            )
            for index in images[order].tolist()
        )

    def _place(self, label: str) -> int:
        if label not in self.labels:
            near = difflib.get_close_matches(label, self.labels, n=1)
            meant = f"did you mean {near[0]!r}?" if near else "see the evaluation's labels."
            raise UsageError(f"expected a label of the evaluation, found {label!r}; {meant}")
        return self.labels.index(label)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _area(curve: Curve | None) -> float | None:
    return None if curve is None else curve.area
