"""Standardised features in the fewest coordinates that lose nothing.

A linear model with an L2 penalty has its weights in the span of the training rows. Fitting
in an orthonormal basis of that span, or of any space that holds it, therefore gives exactly
the same model (Hastie and Tibshirani, "Efficient quadratic regularization for expression
arrays", Biostatistics 2004), and is far cheaper where there are fewer rows than features.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from automl.errors import TrialError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]

_LEAST_SCALE = 0.1
"""A feature's deviation is taken to be at least this share of the typical one.

Dividing by the deviation alone would blow up features that hardly vary, such as a pixel at a
picture's edge that is lit in three pictures of sixty thousand.
"""

_COLUMNS = 64
"""Columns that are copied at a time to be compared."""


class FeatureSpace:
    """Maps features to the coordinates that a linear model is fitted in, and back.

    Attributes:
        coordinates: float32 `[N, D]`, the training features in the new coordinates.
    """

    def __init__(self, features: Floats) -> None:
        """Learns the map from training features `[N, F]`.

        Raises:
            TrialError: If a feature is not finite.
        """
        if not np.isfinite(features).all():
            raise TrialError(
                "expected finite features, found infinite ones or NaN; use another backbone "
                "or full float32 precision."
            )
        self._mean = features.mean(axis=0, dtype=np.float64)
        # Features of a large set take half a gigabyte: one copy, changed in place.
        standardised = features - self._mean.astype(np.float32)
        squares = np.einsum("nf,nf->f", standardised, standardised, dtype=np.float64)
        deviation = np.sqrt(squares / len(features))
        typical = float(np.sqrt(np.mean(deviation**2))) or 1.0
        self._scale = 1.0 / np.maximum(deviation, _LEAST_SCALE * typical)
        standardised *= self._scale.astype(np.float32)
        self._basis: Floats | None = None
        rows, columns = standardised.shape
        if rows < columns:
            self._basis, triangle = np.linalg.qr(standardised.T)
            self.coordinates: Floats = np.ascontiguousarray(triangle.T)
        else:
            first, self._group, self._share = _equal_columns(standardised)
            self.coordinates = standardised[:, first] / self._share

    def affine(self, weights: Doubles, intercept: Doubles) -> tuple[Doubles, Doubles]:
        """Returns the kernel and bias on the original features.

        Args:
            weights: `[D, K]`, of the model fitted on `coordinates`.
            intercept: `[K]`.

        Returns:
            A kernel `[F, K]` and a bias `[K]`, both float64: scaling is folded in at full
            precision and rounded once, by the caller.
        """
        if self._basis is not None:
            standardised = self._basis.astype(np.float64) @ weights
        else:
            standardised = (weights * self._share[:, None])[self._group]
        kernel = standardised * self._scale[:, None]
        return kernel, intercept - self._mean @ kernel


def _equal_columns(
    features: Floats,
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Finds columns that are equal, such as the three channels of a grey picture.

    Returns:
        The first column of each group `[D]`; each column's group `[F]`; and each group's
        `1 / sqrt(size)` `[D]`, the entry of its unit vector.
    """
    digests = []
    for start in range(0, features.shape[1], _COLUMNS):
        columns = np.ascontiguousarray(features[:, start : start + _COLUMNS].T)
        digests += [hashlib.blake2b(column).digest() for column in columns]
    groups: dict[bytes, int] = {}
    group = np.array([groups.setdefault(digest, len(groups)) for digest in digests])
    first = np.unique(group, return_index=True)[1]
    return first, group, (1.0 / np.sqrt(np.bincount(group))).astype(np.float32)
