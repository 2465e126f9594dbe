"""What executes models: a SavedModel that is served, a frozen network in a search."""

from __future__ import annotations

import abc
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]

Precision = Literal["float32", "bfloat16"]
"""What a model is computed in; its inputs and outputs are float32 in any case."""

Forward = Callable[[Iterable[Any]], Iterator[Any]]
"""Runs batches, float32 arrays `[n, ...]`, and yields their outputs, float32, in order."""


class LoadedModel(abc.ABC):
    """A SavedModel in memory, ready to run; safe to call from several threads.

    Attributes:
        precision: What `serving_default` is computed in, which may be more than was asked for.
    """

    precision: Precision = "float32"

    @property
    @abc.abstractmethod
    def signatures(self) -> Mapping[str, object]:
        """The signatures by name, each a TensorFlow `SignatureDef` message.

        Only those that `predict` runs.
        """

    @abc.abstractmethod
    def predict(self, signature: str, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Runs one signature.

        Args:
            signature: Its name, such as `"serving_default"`.
            inputs: Arrays by input name, a batch along the first axis; bytes as object
                arrays.

        Returns:
            Arrays by output name.

        Raises:
            DataError: If the model refuses what is in the inputs, such as damaged images.
        """

    def warm_up(self, signature: str, inputs: Arrays) -> None:
        """Does what `predict` does only once, so that no client waits for it.

        Args:
            signature: As for `predict`.
            inputs: An example of what will be asked.

        Raises:
            DataError: As for `predict`.
        """
        self.predict(signature, inputs)

    def close(self) -> None:
        """Frees what it holds, while other models answer; it is not called any more.

        Of itself, this collects what refers to one another only.
        """
        gc.collect()


class Runtime(abc.ABC):
    """Executes models with one engine."""

    name: str

    @property
    def precisions(self) -> frozenset[Precision]:
        """What `load` can compute in on this machine: float32, and what else there is."""
        return frozenset({"float32"})

    def against(self, precision: Precision) -> str:
        """Returns what it has against computing in `precision` on this machine, if anything."""
        return "" if precision in self.precisions else f"{self.name} has no {precision} here"

    @abc.abstractmethod
    def load(self, path: Path, precision: Precision = "float32") -> LoadedModel:
        """Loads the SavedModel in the folder `path`.

        Args:
            path: The folder.
            precision: What it is computed in, one of `precisions`.

        Raises:
            ExportError: If it cannot be loaded.
        """

    def load_beside(self, path: Path, precision: Precision = "float32") -> LoadedModel:
        """Loads a further SavedModel without getting in the way of those that answer.

        May take longer than `load`, of which it does the same.

        Raises:
            ExportError: As for `load`.
        """
        return self.load(path, precision)

    def compile(self, model: keras.Model, precision: Precision) -> Forward | None:
        """Prepares a Keras model for many batches, as a search needs for frozen features.

        Args:
            model: From one float32 tensor `[N, ...]` to one float32 tensor `[N, ...]`. Its
                weights are taken as they are now.
            precision: A processor without bfloat16 computes in float32.

        Returns:
            `None` where the engine cannot take models of Keras' current backend.
        """
        return None
