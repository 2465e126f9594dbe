"""TF Serving's JSON for predict requests and responses, to and from NumPy arrays.

Format: https://www.tensorflow.org/tfx/serving/api_rest. Unlike standard JSON it has the
tokens NaN, Infinity and -Infinity, and bytes as `{"b64": …}`.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.errors import DataError
from automl_serving import tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_MAX_DEPTH = 32


@dataclass(frozen=True)
class JsonRequest:
    """A predict request whose values are still JSON.

    Attributes:
        signature_name: As given; empty is the default one.
        by_row: Whether it came as `instances` and not as `inputs`.
        content: What it came as.
    """

    signature_name: str
    by_row: bool
    content: Any

    @classmethod
    def parse(cls, body: bytes) -> JsonRequest:
        """Reads a request's body.

        Raises:
            DataError: If it is no such request.
        """
        request = load_object(body)
        if ("instances" in request) == ("inputs" in request):
            raise _invalid("either 'instances' or 'inputs'", "both or none")
        by_row = "instances" in request
        content = request["instances" if by_row else "inputs"]
        return cls(request.get("signature_name", ""), by_row, content)

    def arrays(self, infos: Mapping[str, Any]) -> dict[str, Array]:
        """Returns the inputs as arrays, given the signature's `TensorInfo` by name.

        Raises:
            DataError: If they cannot be the signature's inputs.
        """
        columns = self._rows(infos) if self.by_row else self._columns(infos)
        if set(infos) - set(columns) or (self.by_row and set(columns) - set(infos)):
            raise _invalid(f"the inputs {sorted(infos)}", ascii(sorted(columns)))
        return {name: _to_array(columns[name], info, name) for name, info in infos.items()}

    def _columns(self, infos: Mapping[str, Any]) -> dict[str, Any]:
        if isinstance(self.content, dict) and not is_bytes(self.content):
            return self.content
        return {_only(infos): self.content}

    def _rows(self, infos: Mapping[str, Any]) -> dict[str, list[Any]]:
        rows = self.content
        if not isinstance(rows, list) or not rows:
            raise _invalid("a list of at least one instance", "another value for 'instances'")
        named = [isinstance(row, dict) and not is_bytes(row) for row in rows]
        if not any(named):
            return {_only(infos): rows}
        if not all(named) or any(set(row) != set(rows[0]) for row in rows):
            raise _invalid("instances that all name the same inputs", "instances that differ")
        return {name: [row[name] for row in rows] for name in rows[0]}


def load_object(body: bytes) -> dict[str, Any]:
    """Reads a request's body; what has no meaning in it is left alone, as TF Serving does.

    Raises:
        DataError: If it is no JSON object, or its signature_name is no text.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise _invalid("a body of JSON", "none that can be read") from None
    if not isinstance(request, dict):
        raise _invalid("a JSON object", f"a {type(request).__name__}")
    check_text(request.get("signature_name", ""), "'signature_name'")
    return request


def check_text(value: Any, of: str) -> None:
    """Checks that a JSON value is text that UTF-8, and so a message, can hold.

    Raises:
        DataError: If it is none, or has half of a character, as JSON's `"\\ud800"` is.
    """
    if not isinstance(value, str):
        raise _invalid(f"text for {of}", f"a {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _invalid(f"text for {of}", "half of a character") from None


def is_bytes(value: Any) -> bool:
    """Returns whether a JSON value stands for bytes: `{"b64": …}`."""
    return isinstance(value, dict) and set(value) == {"b64"}


def decode_bytes(value: Mapping[str, Any], name: str) -> bytes:
    """Returns what `{"b64": …}` stands for; line breaks and missing padding are allowed.

    Raises:
        DataError: If it is no base64 text.
    """
    try:
        text = "".join(value["b64"].split())
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, AttributeError, binascii.Error):
        raise _invalid(f"base64 text for {name!a}", "other content in 'b64'") from None


def to_json(outputs: Mapping[str, Array], by_row: bool) -> bytes:
    """Returns a predict response's body.

    Raises:
        DataError: If rows were asked for and the outputs have none.
    """
    values = {name: _to_values(name, array) for name, array in outputs.items()}
    if not by_row:
        content: Any = values
        if len(values) == 1:
            content = next(iter(values.values()))
        return json.dumps({"outputs": content}).encode()
    if len({array.shape[0] if array.ndim else None for array in outputs.values()} | {None}) != 2:
        raise _invalid("outputs with one row an instance", "others; ask with 'inputs' instead")
    if len(values) == 1:
        return json.dumps({"predictions": next(iter(values.values()))}).encode()
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return json.dumps({"predictions": rows}).encode()


def _to_array(value: Any, info: Any, name: str) -> Array:
    dtype = tensors.dtype_of(info.dtype)
    if dtype == np.object_:
        return _bytes_array(_to_bytes(value, name, 0), name)
    # Before NumPy sees it: of text it would make an array with room for the longest everywhere.
    if not _kinds(value) <= {bool, int, float, list}:
        raise _invalid(f"{dtype.name} values for {name!r}", "values of another type")
    try:
        array = np.array(value)
    except (ValueError, OverflowError, RecursionError):
        raise _invalid(f"a tensor for {name!r}", "lists of different lengths") from None
    kinds = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}[dtype.kind]
    if array.size and array.dtype.kind not in kinds:
        raise _invalid(f"{dtype.name} values for {name!r}", "values of another type")
    if array.size and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise _invalid(f"values of {limits.min} to {limits.max} for {name!r}", "others")
    if array.size and dtype.kind == "f":
        _check_precision(array, dtype, name)
    return array.astype(dtype)


def _kinds(value: Any) -> set[type]:
    """Returns the types of what nested lists hold, down to the level where one is no list."""
    level = [value]
    while level and all(type(one) is list for one in level):
        level = list(itertools.chain.from_iterable(level))
    return set(map(type, level))


def _check_precision(array: Array, dtype: np.dtype[Any], name: str) -> None:
    """Refuses numbers that the type cannot hold: too large, or integers of too many digits."""
    limits = np.finfo(dtype)
    if array.dtype.kind in "iu":
        most: float = 2 ** (limits.nmant + 1) - 1
    else:
        most, array = float(limits.max), array[np.isfinite(array)]
    if array.size and (array.max() > most or array.min() < -most):
        raise _invalid(f"values that {dtype.name} can hold for {name!r}", "larger ones")


def _to_bytes(value: Any, name: str, depth: int) -> Any:
    """Returns nested lists with bytes for their leaves."""
    if isinstance(value, list) and depth < _MAX_DEPTH:
        return [_to_bytes(one, name, depth + 1) for one in value]
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if is_bytes(value):
        return decode_bytes(value, name)
    raise _invalid(f"text or {{'b64': …}} for {name!r}", "another value")


def _bytes_array(nested: Any, name: str) -> Array:
    shape: list[int] = []
    level = nested
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    flat = [nested]
    for size in shape:
        if any(not isinstance(one, list) or len(one) != size for one in flat):
            raise _invalid(f"a tensor for {name!r}", "lists of different lengths")
        flat = [leaf for one in flat for leaf in one]
    if any(isinstance(leaf, list) for leaf in flat):
        raise _invalid(f"a tensor for {name!r}", "lists of different lengths")
    array = np.empty(len(flat), np.object_)
    array[:] = flat
    return array.reshape(shape)


def _to_values(name: str, array: Array) -> Any:
    if array.dtype in (np.float16, np.float32):
        # The shortest digits that mean the same number, not those of its double.
        return array.astype(str).astype(np.float64).tolist()
    if array.dtype != np.object_:
        return array.tolist()

    def leaf(value: Any) -> Any:
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    texts = np.empty(array.shape, np.object_)
    texts.flat[:] = [leaf(value) for value in array.flat]
    return texts.tolist()


def _only(infos: Mapping[str, Any]) -> str:
    if len(infos) != 1:
        raise _invalid(f"values by input name ({', '.join(sorted(infos))})", "values without names")
    return next(iter(infos))


def _invalid(expected: str, found: str) -> DataError:
    return DataError(
        f"expected {expected}, found {found[:200]}; see TF Serving's REST API for the form."
    )
