"""What the heads made of scikit-learn's linear classifiers share."""

from __future__ import annotations

import abc
import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl.components import AffineHead, EstimatorHead, FittedHead
from automl.errors import UsageError

if TYPE_CHECKING:
    import keras_tuner
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]
    Labels = NDArray[np.int64]

PATH = "path"
"""The value of `C` that stands for the whole regularisation path."""

THREADS_PAY = 20_000_000
"""From this many feature values on, linear algebra uses all processor cores.

Below, its threads wait for each other longer than they compute: on two cores that others use
too, a path on 400 rows of 1,280 features took 0.2 s with one thread and 6 s with two.
"""

ABSENT_LOGIT = -100.0
"""The logit of a class that the training labels do not hold.

Low enough never to win, and finite, so that softmax, cross-entropy and the fit of a
temperature stay finite where such a class turns up among the images to be scored.
"""


class LinearEstimatorHead(EstimatorHead):
    """A linear classifier with an L2 penalty of strength `1 / C` on standardised features.

    Attributes:
        strengths: The values of `C` that one trial compares, strongest penalty first.
    """

    strengths: Sequence[float]

    def declare(self, hp: keras_tuner.HyperParameters) -> None:
        """Declares `C`, which is the whole path unless a user pins it."""
        hp.Fixed("C", PATH)

    def path(self, params: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Returns one setting for each value of `C`, or one where `C` is pinned.

        Raises:
            UsageError: If `C` is neither `"path"` nor a positive number.
        """
        if params.get("C", PATH) == PATH:
            return [{**params, "C": strength} for strength in self.strengths]
        return [{**params, "C": _strength(params["C"])}]

    def fit(
        self,
        features: Floats,
        labels: Labels,
        classes: int,
        params: Mapping[str, Any],
        seed: int,
    ) -> FittedHead:
        """Fits one setting; see `EstimatorHead.fit`."""
        return self.fit_path(features, labels, classes, [params], seed)[0]

    def fit_path(
        self,
        features: Floats,
        labels: Labels,
        classes: int,
        path: Sequence[Mapping[str, Any]],
        seed: int,
    ) -> list[FittedHead]:
        """Fits every setting in the same coordinates; see `EstimatorHead.fit_path`."""
        import numpy as np

        from automl_plugins.heads.feature_space import FeatureSpace

        strengths = [_strength(params.get("C")) for params in path]
        present = np.unique(labels)
        if len(present) == 1:
            constant = _complete(np.zeros((features.shape[1], 1)), np.zeros(1), present, classes)
            return [constant for _ in path]
        fitted: list[FittedHead] = []
        with _few_threads(features.size):
            space = FeatureSpace(features)
            for coefficients, intercept in self._solve(space.coordinates, labels, strengths, seed):
                if len(coefficients) == 1:  # scikit-learn's form for two classes
                    coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
                    intercept = np.append(0.0, intercept)
                kernel, bias = space.affine(coefficients.T, intercept)
                fitted.append(_complete(kernel, bias, present, classes))
        return fitted

    @abc.abstractmethod
    def _solve(
        self, coordinates: Floats, labels: Labels, strengths: Sequence[float], seed: int
    ) -> Iterator[tuple[Doubles, Doubles]]:
        """Yields scikit-learn's `coef_` and `intercept_`, float64, for each strength in turn."""


def ignore_early_stops() -> None:
    """Silences scikit-learn's warning that a solver was stopped before it converged.

    Such a model is a valid, slightly more regularised one, and is judged by its validation
    score like any other, so nobody needs to act. For good and not for a block of code: what
    warnings are shown belongs to the whole process, and folds are fitted in threads.
    """
    from sklearn.exceptions import ConvergenceWarning

    warnings.simplefilter("ignore", ConvergenceWarning)


@contextlib.contextmanager
def _few_threads(values: int) -> Iterator[None]:
    """Keeps linear algebra on one thread where `values` are too few to share out."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1 if values < THREADS_PAY else None, user_api="blas"):
        yield


def _complete(kernel: Doubles, bias: Doubles, present: Labels, classes: int) -> AffineHead:
    """Spreads the columns of the classes that are `present` over all classes."""
    import numpy as np

    whole_kernel = np.zeros((len(kernel), classes), np.float32)
    whole_bias = np.full(classes, ABSENT_LOGIT, np.float32)
    whole_kernel[:, present] = kernel
    whole_bias[present] = bias
    return AffineHead(whole_kernel, whole_bias)


def _strength(value: Any) -> float:
    import math

    try:
        strength = float(value)
    except (TypeError, ValueError):
        strength = math.nan
    if not (strength > 0 and math.isfinite(strength)):
        raise UsageError(
            f"expected C to be a positive number or {PATH!r}, found {value!r}; "
            f"set it like --set C=0.1."
        )
    return strength
