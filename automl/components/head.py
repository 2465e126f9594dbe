"""What turns features into classes."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import keras_tuner
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Labels = NDArray[np.int64]


class Head(abc.ABC):
    """A classifier on top of a backbone's features: a `LayersHead` or an `EstimatorHead`."""

    name: str

    def declare(self, hp: keras_tuner.HyperParameters) -> None:
        """Declares the head's own hyperparameters."""
        return


class LayersHead(Head):
    """A head made of Keras layers, trained by gradient descent."""

    @abc.abstractmethod
    def layers(
        self, features: int, classes: int, params: Mapping[str, Any]
    ) -> Sequence[keras.layers.Layer]:
        """Returns new layers from features `[N, features]` to logits `[N, classes]`."""


class FittedHead(abc.ABC):
    """A head after fitting, in a form that scores arrays and becomes layers."""

    @abc.abstractmethod
    def logits(self, features: Floats) -> Floats:
        """Returns logits `[N, classes]` for features `[N, F]`."""

    @abc.abstractmethod
    def layers(self) -> Sequence[keras.layers.Layer]:
        """Returns layers that compute `logits`, their weights to be set by `load`."""

    @abc.abstractmethod
    def load(self, layers: Sequence[keras.layers.Layer]) -> None:
        """Copies the fitted weights into `layers`, which have been built."""


@dataclass(frozen=True)
class AffineHead(FittedHead):
    """`logits = features @ kernel + bias`: what every linear estimator comes down to.

    Attributes:
        kernel: float32 `[F, classes]`.
        bias: float32 `[classes]`.
    """

    kernel: Floats
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """Returns logits `[N, classes]` for features `[N, F]`."""
        return features @ self.kernel + self.bias

    def layers(self) -> Sequence[keras.layers.Layer]:
        """Returns one dense layer without activation."""
        import keras

        return [keras.layers.Dense(self.kernel.shape[1], name="logits")]

    def load(self, layers: Sequence[keras.layers.Layer]) -> None:
        """Sets the dense layer's kernel and bias."""
        layers[0].set_weights([self.kernel, self.bias])


class EstimatorHead(Head):
    """A head fitted on frozen features by an estimator, such as one of scikit-learn's."""

    def path(self, params: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Returns the settings that one trial compares, such as a regularisation path.

        The trial keeps the setting with the best validation score; ties go to the first.
        """
        return [params]

    @abc.abstractmethod
    def fit(
        self,
        features: Floats,
        labels: Labels,
        classes: int,
        params: Mapping[str, Any],
        seed: int,
    ) -> FittedHead:
        """Fits on features `[N, F]` and labels `[N]` in `0..classes-1`.

        A class that does not occur in `labels` must still have its column of logits.
        """

    def fit_path(
        self,
        features: Floats,
        labels: Labels,
        classes: int,
        path: Sequence[Mapping[str, Any]],
        seed: int,
    ) -> list[FittedHead]:
        """Fits every setting of a path on the same data, in the order of `path`.

        Override it where settings can share work, such as a decomposition of the features.
        Called from several threads at a time, for different folds.
        """
        return [self.fit(features, labels, classes, params, seed) for params in path]
