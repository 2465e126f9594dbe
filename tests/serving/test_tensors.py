"""Tensor messages, held against TensorFlow's own reading and writing of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow.core.framework.tensor_pb2 import TensorProto

from automl.errors import DataError
from automl_serving import tensors

KINDS = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
any_array = st.sampled_from(KINDS).flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0))
)
LIMIT = 1 << 20


@given(any_array)
def test_arrays_are_written_as_tensorflow_reads_them(array: Any) -> None:
    message = TensorProto()
    tensors.to_proto(array, message)
    check_equal(tf.make_ndarray(message), array)
    check_equal(tensors.from_proto(message, LIMIT), array)


@given(any_array, st.data())
def test_rows_are_written_as_if_they_had_been_stacked(row: Any, data: st.DataObject) -> None:
    alike = [row, *([row.T] if row.shape == row.T.shape else [])]
    rows = data.draw(st.lists(st.sampled_from(alike), min_size=1, max_size=4))
    message, stacked = TensorProto(), TensorProto()
    tensors.rows_to_proto(rows, message)
    tensors.to_proto(np.stack(rows), stacked)
    assert message == stacked


@given(any_array)
def test_arrays_are_read_as_tensorflow_writes_them(array: Any) -> None:
    check_equal(tensors.from_proto(tf.make_tensor_proto(array), LIMIT), array)


@given(st.lists(st.binary(max_size=8), max_size=5))
def test_bytes_are_kept(values: list[bytes]) -> None:
    array = np.empty(len(values), object)
    array[:] = values
    message = TensorProto()
    tensors.to_proto(array, message)
    assert tensors.from_proto(message, LIMIT).tolist() == values


@given(st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 5))
def test_values_that_are_left_out_are_the_last(kind: str, given_: int, more: int) -> None:
    array = np.arange(1, given_ + 1).astype(kind)
    message = tf.make_tensor_proto(array) if given_ else TensorProto()
    message.dtype = tf.as_dtype(np.dtype(kind)).as_datatype_enum
    message.ClearField("tensor_content")
    field = {"f2": "half_val", "f4": "float_val", "f8": "double_val", "i8": "int64_val"}
    field |= {"u4": "uint32_val", "u8": "uint64_val", "?": "bool_val"}
    values = array.view(np.uint16) if kind == "f2" else array
    name = field.get(kind, "int_val")
    message.ClearField(name)
    getattr(message, name).extend(values.tolist())
    message.ClearField("tensor_shape")
    message.tensor_shape.dim.add(size=given_ + more)
    last = array[-1:] if given_ else np.zeros(1, kind)
    check_equal(tensors.from_proto(message, LIMIT), np.concatenate([array, *[last] * more]))


def test_values_out_of_range_are_refused() -> None:
    message = tf.make_tensor_proto([1, 2], tf.int32)
    message.ClearField("tensor_content")
    message.int_val.extend([1, 256])
    message.dtype = tf.uint8.as_datatype_enum
    with pytest.raises(DataError, match="out of its range"):
        tensors.from_proto(message, LIMIT)


def test_no_rows_of_an_impossible_size_are_refused() -> None:
    message = TensorProto(dtype=tf.float32.as_datatype_enum)
    for size in (0, 2**62):
        message.tensor_shape.dim.add(size=size)
    with pytest.raises(DataError, match="at most"):
        tensors.from_proto(message, LIMIT)


@pytest.mark.parametrize(("limit", "fits"), [(400, True), (399, False)])
def test_size_is_limited_before_memory_is_taken(limit: int, fits: bool) -> None:
    message = tf.make_tensor_proto(1.0, tf.float32, [100])
    if fits:
        assert tensors.from_proto(message, limit).shape == (100,)
    else:
        with pytest.raises(DataError, match="at most 399 bytes"):
            tensors.from_proto(message, limit)


def check_equal(found: Any, expected: Any) -> None:
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
