"""One version of a model, checked and run by its signatures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.components import LoadedModel
from automl_serving import tensors
from automl_serving.model_server.errors import ServingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Servable:
    """A loaded version of a model.

    Attributes:
        name: The model's name.
        version: Its version.
        model: What executes it.
    """

    name: str
    version: int
    model: LoadedModel

    def signature(self, name: str) -> Any:
        """Returns the `SignatureDef` called `name`; empty is the default one.

        Raises:
            ServingError: INVALID_ARGUMENT if there is none, as TF Serving answers.
        """
        name = name or DEFAULT_SIGNATURE
        try:
            return self.model.signatures[name]
        except KeyError:
            known = ", ".join(sorted(self.model.signatures))
            raise ServingError(
                "INVALID_ARGUMENT",
                f"expected a signature of {self.name} ({known}), found {name!a}; name one.",
            ) from None

    def predict(
        self, signature_name: str, inputs: Mapping[str, Array], outputs: Collection[str] = ()
    ) -> dict[str, Array]:
        """Runs one signature.

        Args:
            signature_name: Its name; empty is the default one.
            inputs: Arrays by input name.
            outputs: The outputs wanted; empty means all.

        Raises:
            ServingError: INVALID_ARGUMENT if names, types or shapes are not the signature's.
            DataError: If the model refuses what is in the inputs.
        """
        signature = self.signature(signature_name)
        _check_names("inputs", inputs, signature.inputs, complete=True)
        _check_names("outputs", outputs, signature.outputs, complete=False)
        for name, array in inputs.items():
            _check_tensor(name, array, signature.inputs[name])
        found = self.model.predict(signature_name or DEFAULT_SIGNATURE, inputs)
        return {name: found[name] for name in (outputs or sorted(found))}

    def warm_up(self) -> None:
        """Runs the default signature once on zeros, so that no client waits for it.

        Raises:
            Exception: Whatever the model raises.
        """
        signature = self.model.signatures.get(DEFAULT_SIGNATURE)
        infos: Mapping[str, Any] = getattr(signature, "inputs", {})
        if infos and not any(info.dtype == tensors.STRING for info in infos.values()):
            zeros = {
                name: np.zeros([max(dim, 1) for dim in _dims(info)], tensors.dtype_of(info.dtype))
                for name, info in infos.items()
            }
            self.predict(DEFAULT_SIGNATURE, zeros)


def _dims(info: Any) -> list[int]:
    """Returns the sizes of a `TensorInfo`; -1 is any."""
    return [int(dim.size) for dim in info.tensor_shape.dim]


def _check_names(what: str, found: Collection[str], known: Collection[str], complete: bool) -> None:
    if set(found) - set(known) or (complete and set(known) - set(found)):
        raise ServingError(
            "INVALID_ARGUMENT",
            f"expected the {what} {sorted(known)}, found {ascii(sorted(found))[:200]}; "
            f"name the signature's own.",
        )


def _check_tensor(name: str, array: Array, info: Any) -> None:
    dtype = tensors.dtype_of(info.dtype)
    dims = _dims(info)
    fits = info.tensor_shape.unknown_rank or (
        len(dims) == array.ndim
        and all(dim in (-1, size) for dim, size in zip(dims, array.shape, strict=True))
    )
    if array.dtype != dtype or not fits:
        raise ServingError(
            "INVALID_ARGUMENT",
            f"expected {dtype.name} of shape {dims} for the input {name!r}, found "
            f"{array.dtype.name} of shape {list(array.shape)}; -1 stands for any size.",
        )
