"""One version of a model, checked and run by its signatures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from automl.components import LoadedModel
from automl_serving import tensors
from automl_serving.model_server.errors import ServingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class _Layout:
    """What a `SignatureDef` says, read once: to ask it takes as long as to copy a picture.

    Attributes:
        inputs: Types and shapes by name; -1 is any size, and `None` any shape.
        outputs: Their names.
        has_rows: Whether the first axis of all inputs and outputs may have any size.
    """

    inputs: Mapping[str, tuple[np.dtype[Any], list[int] | None]]
    outputs: frozenset[str]
    has_rows: bool

    @classmethod
    def of(cls, signature: Any) -> _Layout:
        infos = [*signature.inputs.values(), *signature.outputs.values()]
        return cls(
            {
                name: (tensors.dtype_of(info.dtype), _dims(info))
                for name, info in signature.inputs.items()
            },
            frozenset(signature.outputs),
            all((_dims(info) or [])[:1] == [-1] for info in infos),
        )


def _dims(info: Any) -> list[int] | None:
    """Returns the sizes of a `TensorInfo`; -1 is any, and `None` an unknown number of them."""
    shape = info.tensor_shape
    return None if shape.unknown_rank else [int(dim.size) for dim in shape.dim]


@dataclass(frozen=True, eq=False)
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
    _layouts: dict[str, _Layout] = field(default_factory=dict, init=False, repr=False)

    def signature(self, name: str) -> Any:
        """Returns the `SignatureDef` called `name`; empty is the default one.

        Raises:
            ServingError: FAILED_PRECONDITION if there is none, as TF Serving's Predict answers.
        """
        name = name or DEFAULT_SIGNATURE
        try:
            return self.model.signatures[name]
        except KeyError:
            known = ", ".join(sorted(self.model.signatures))
            raise ServingError(
                "FAILED_PRECONDITION",
                f"expected a signature of {self.name} ({known}), found {name[:200]!a}; name one.",
            ) from None

    def describe(self, spec: Any, signature_name: str | None = None) -> None:
        """Says in the `ModelSpec` of an answer which version gave it, and by which signature."""
        spec.name = self.name
        spec.version.value = self.version
        if signature_name is not None:
            spec.signature_name = signature_name or DEFAULT_SIGNATURE

    def check(self, name: str, inputs: Mapping[str, Array], outputs: Collection[str] = ()) -> None:
        """Checks what a request gives and asks for.

        Args:
            name: The signature; empty is the default one.
            inputs: Arrays by input name.
            outputs: The outputs wanted; empty means all.

        Raises:
            ServingError: FAILED_PRECONDITION if there is no such signature; INVALID_ARGUMENT if
                names, types or shapes are not the signature's.
        """
        layout = self._layout(name)
        _check_names("inputs", inputs, layout.inputs, complete=True)
        _check_names("outputs", outputs, layout.outputs, complete=False)
        for input_name, array in inputs.items():
            _check_tensor(input_name, array, *layout.inputs[input_name])

    def run(self, name: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Runs a signature on inputs that were checked, and returns all of its outputs.

        Raises:
            DataError: If the model refuses what is in the inputs.
        """
        return self.model.predict(name or DEFAULT_SIGNATURE, inputs)

    def warm_up(self, name: str, inputs: Mapping[str, Array]) -> None:
        """Prepares a signature for inputs like these, which were checked.

        Raises:
            DataError: If the model refuses what is in the inputs.
        """
        self.model.warm_up(name or DEFAULT_SIGNATURE, inputs)

    def rows(self, name: str, inputs: Mapping[str, Array]) -> int | None:
        """Returns how many rows checked inputs have, or `None` if the signature knows no rows.

        It does if the first axis of all inputs and outputs may have any size, and the inputs
        agree on it: then rows of several requests can be run together.
        """
        sizes = {array.shape[:1] for array in inputs.values()}
        if len(sizes) != 1 or not self._layout(name).has_rows:
            return None
        (size,) = sizes
        return int(size[0])

    def _layout(self, name: str) -> _Layout:
        if name not in self._layouts:
            self._layouts[name] = _Layout.of(self.signature(name))
        return self._layouts[name]


def _check_names(what: str, found: Collection[str], known: Collection[str], complete: bool) -> None:
    wrong = set(found) - set(known) or (complete and set(known) - set(found))
    if wrong or len(set(found)) < len(found):
        raise ServingError(
            "INVALID_ARGUMENT",
            f"expected the {what} {sorted(known)}, found {ascii(sorted(found))[:200]}; "
            f"name the signature's own.",
        )


def _check_tensor(name: str, array: Array, dtype: np.dtype[Any], dims: list[int] | None) -> None:
    fits = dims is None or (
        len(dims) == array.ndim
        and all(dim in (-1, size) for dim, size in zip(dims, array.shape, strict=True))
    )
    if array.dtype != dtype or not fits:
        raise ServingError(
            "INVALID_ARGUMENT",
            f"expected {dtype.name} of shape {dims} for the input {name!r}, found "
            f"{array.dtype.name} of shape {list(array.shape)}; -1 stands for any size.",
        )
