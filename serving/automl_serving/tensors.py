"""NumPy arrays to and from `TensorProto` messages, without TensorFlow.

The message classes are handed in by the caller, because the two servers come by them in
different ways. Format: tensorflow/core/framework/tensor.proto.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

STRING = 7
"""`DT_STRING`; such tensors are object arrays of bytes here."""

_TYPES: dict[int, tuple[Any, str]] = {
    1: (np.float32, "float_val"),
    2: (np.float64, "double_val"),
    3: (np.int32, "int_val"),
    4: (np.uint8, "int_val"),
    5: (np.int16, "int_val"),
    6: (np.int8, "int_val"),
    STRING: (np.object_, "string_val"),
    9: (np.int64, "int64_val"),
    10: (np.bool_, "bool_val"),
    17: (np.uint16, "int_val"),
    19: (np.float16, "half_val"),
    22: (np.uint32, "uint32_val"),
    23: (np.uint64, "uint64_val"),
}
_NUMBERS = {np.dtype(kind): number for number, (kind, _) in _TYPES.items()}


def dtype_of(number: int) -> np.dtype[Any]:
    """Returns NumPy's type for the `DataType` with this number.

    Raises:
        DataError: If it has none here.
    """
    try:
        dtype: np.dtype[Any] = np.dtype(_TYPES[number][0])
    except KeyError:
        raise DataError(
            f"expected a tensor of numbers, booleans or bytes, found data type {number}; "
            f"send another."
        ) from None
    return dtype


def to_proto(array: Array, message: Any) -> None:
    """Fills the empty `TensorProto` `message` with `array`.

    Raises:
        DataError: If the array's type has no counterpart.
    """
    if _describe(array.dtype, array.shape, message) == STRING:
        message.string_val.extend(
            value.encode() if isinstance(value, str) else bytes(value) for value in array.flat
        )
    else:
        message.tensor_content = np.ascontiguousarray(array).tobytes()


def rows_to_proto(rows: Sequence[Array], message: Any) -> None:
    """Fills the empty `TensorProto` `message` with numbers, as `np.stack` would join `rows`.

    Args:
        rows: 1 or more of one shape and type.
        message: The `TensorProto`.
    """
    _describe(rows[0].dtype, (len(rows), *rows[0].shape), message)
    message.tensor_content = b"".join(np.ascontiguousarray(row).data for row in rows)


def _describe(dtype: np.dtype[Any], shape: tuple[int, ...], message: Any) -> int:
    """Notes type and shape in a `TensorProto`, and returns the `DataType`."""
    number = _NUMBERS.get(dtype, STRING if dtype.kind in "SU" else 0)
    dtype_of(number)
    message.dtype = number
    for size in shape:
        message.tensor_shape.dim.add(size=size)
    return number


def from_proto(message: Any, max_bytes: int) -> Array:
    """Returns the array that a `TensorProto` holds.

    Args:
        message: The `TensorProto`.
        max_bytes: The most memory that the array may take. A message of a few bytes can
            stand for any number of equal elements.

    Raises:
        DataError: If its parts contradict each other, or it is too large.
    """
    dtype = dtype_of(message.dtype)
    shape = tuple([dim.size for dim in message.tensor_shape.dim])
    if message.tensor_shape.unknown_rank or len(shape) > 32 or min(shape, default=0) < 0:
        raise DataError("expected a tensor with a known shape, found none; set tensor_shape.")
    count = math.prod(shape)
    # Where one size is 0, the others must still be ones that NumPy can hold.
    held = count or math.prod(max(1, size) for size in shape)
    if held * dtype.itemsize > max_bytes:
        raise DataError(
            f"expected a tensor of at most {max_bytes:,} bytes, found shape {list(shape)} of "
            f"{dtype.name}; send fewer rows."
        )
    content = message.tensor_content  # a copy, each time that it is asked for
    if content:
        if dtype == np.object_ or len(content) != count * dtype.itemsize:
            raise _contradiction(shape, dtype, f"{len(content)} bytes of content")
        return np.frombuffer(content, dtype).reshape(shape)
    flat = _flat_values(getattr(message, _TYPES[message.dtype][1]), dtype, shape)
    if len(flat) > count:
        raise _contradiction(shape, dtype, f"{len(flat)} values")
    if len(flat) < count:
        # The last value stands for all that follow; none at all stands for zeros.
        empty = b"" if dtype == np.object_ else dtype.type(0)
        fill = np.full(count - len(flat), flat[-1] if len(flat) else empty, dtype)
        flat = np.concatenate([flat, fill])
    return flat.reshape(shape)


def _flat_values(values: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    if dtype == np.float16:  # half_val holds the bits of each
        return _flat_values(values, np.dtype(np.uint16), shape).view(np.float16)
    if dtype == np.object_:
        flat = np.empty(len(values), np.object_)
        flat[:] = list(values)
        return flat
    wide: Array = np.array(values) if len(values) else np.empty(0, dtype)
    if dtype.kind in "iu" and len(wide):
        limits = np.iinfo(dtype)
        if int(wide.min()) < limits.min or int(wide.max()) > limits.max:
            raise _contradiction(shape, dtype, "values out of its range")
    return wide.astype(dtype)


def _contradiction(shape: tuple[int, ...], dtype: np.dtype[Any], found: str) -> DataError:
    return DataError(
        f"expected the content of a {dtype.name} tensor of shape {list(shape)}, found {found}; "
        f"make both agree."
    )
