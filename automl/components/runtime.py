"""What executes a SavedModel."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]


class LoadedModel(abc.ABC):
    """A SavedModel in memory, ready to run; safe to call from several threads."""

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


class Runtime(abc.ABC):
    """Loads SavedModels for one execution engine."""

    name: str

    @abc.abstractmethod
    def load(self, path: Path) -> LoadedModel:
        """Loads the SavedModel in the folder `path`.

        Raises:
            ExportError: If it cannot be loaded.
        """
