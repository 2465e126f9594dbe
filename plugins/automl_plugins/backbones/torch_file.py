"""Reads the tensors of PyTorch and safetensors files, without PyTorch and without unpickling.

A PyTorch file describes its tensors in a pickle. The pickle's opcodes are interpreted here
as data: dictionaries, lists, numbers, strings and tensors are all that can come of them,
and nothing that a file names is ever imported or called.

Formats: https://github.com/pytorch/pytorch/blob/main/torch/serialization.py and
https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import io
import json
import math
import os
import pickletools
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from automl.errors import WeightsUnavailableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[Any]]

SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")
"""The names that files of these formats usually have."""

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_NESTED_KEYS = ("state_dict", "model_state_dict", "model")
_STORAGE_TYPES = {
    "torch.DoubleStorage": "f8",
    "torch.FloatStorage": "f4",
    "torch.HalfStorage": "f2",
    "torch.BFloat16Storage": "bf16",
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}
_SAFETENSORS_TYPES = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "BF16": "bf16",
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read_tensors(path: str | os.PathLike[str]) -> Tensors:
    """Reads a state dict: PyTorch's zip format, its format before 1.6, or safetensors.

    The format is told by the content. A checkpoint that holds its state dict under
    `state_dict`, `model_state_dict` or `model` is read likewise.

    Returns:
        Arrays by name; bfloat16 comes as float32. Arrays may be read-only.

    Raises:
        WeightsUnavailableError: If the file cannot be read or holds anything else.
    """
    path = Path(path)
    try:
        return _read(path.read_bytes())
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
    except _NotTensorsError as error:
        reason = _printable(error)
    except (ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        reason = f"is damaged or of another format ({_printable(error)[:100]})"
    raise WeightsUnavailableError(
        f"expected a PyTorch or safetensors file of tensors, found that {path} {reason}; name "
        f"another weights file."
    )


def _read(data: bytes) -> Tensors:
    # First of all by safetensors' brace: the length before it may look like anything.
    if data[8:9] == b"{":
        return _read_safetensors(data)
    with warnings.catch_warnings():
        # Python's own parsers warn about some kinds of damage, which is refused anyway.
        warnings.simplefilter("ignore")
        if data[:4] == b"PK\x03\x04":
            return _read_zip(data)
        if data[:1] == b"\x80":
            return _read_legacy(data)
    raise _NotTensorsError("is neither of them")


def _printable(error: Exception) -> str:
    """Returns the message on one line; a damaged name in it may hold anything."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    return " ".join(text.split())


class _NotTensorsError(Exception):
    """The file is readable but not what is wanted; the message continues "found that F …"."""


class _Global(NamedTuple):
    """The name of a class or function in a pickle; only ever compared, never looked up."""

    name: str


class _Storage(NamedTuple):
    """A run of `numel` numbers somewhere in the file."""

    kind: str
    key: str
    numel: int


class _Tensor(NamedTuple):
    """A view of a storage; all numbers count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _read_zip(data: bytes) -> Tensors:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # PyTorch stores without compression; anything else could unpack to any size.
        entries = {
            info.filename.partition("/")[2]: info
            for info in archive.infolist()
            if info.compress_type == zipfile.ZIP_STORED and info.file_size <= len(data)
        }
        if "data.pkl" not in entries:
            raise _NotTensorsError("is a zip archive without PyTorch's data.pkl")
        if "byteorder" in entries and archive.read(entries["byteorder"]) != b"little":
            raise _NotTensorsError("was written on a big-endian machine")
        tensors = _state_dict(_interpret(io.BytesIO(archive.read(entries["data.pkl"]))))
        storages = {}
        for storage in {tensor.storage for tensor in tensors.values()}:
            entry = entries.get(f"data/{storage.key}")
            if entry is None:
                raise _NotTensorsError(f"lacks the storage {storage.key}")
            storages[storage.key] = _numbers(archive.read(entry), storage.kind, storage.numel)
    return {name: _view(tensor, storages) for name, tensor in tensors.items()}


def _read_legacy(data: bytes) -> Tensors:
    stream = io.BytesIO(data)
    if _interpret(stream) != _LEGACY_MAGIC or _interpret(stream) != _LEGACY_PROTOCOL:
        raise _NotTensorsError("is a pickle but not one of PyTorch's")
    system = _interpret(stream)
    if not isinstance(system, Mapping) or not system.get("little_endian"):
        raise _NotTensorsError("was written on a big-endian machine")
    tensors = _state_dict(_interpret(stream))
    keys = _interpret(stream)
    if not isinstance(keys, list):
        raise _NotTensorsError("lacks its list of storages")
    described = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    storages = {}
    for key in keys:
        size = stream.read(8)
        if len(size) < 8:
            raise _NotTensorsError("is cut off: a tensor's numbers are missing")
        count = int.from_bytes(size, "little")
        storage = described.get(key) if isinstance(key, str) else None
        if storage is None or storage.numel != count:
            raise _NotTensorsError(f"describes its storage {str(key)[:40]} in two ways or none")
        start = stream.tell()
        end = start + count * _itemsize(storage.kind)
        storages[storage.key] = _numbers(memoryview(data)[start:end], storage.kind, count)
        stream.seek(end)
    if missing := described.keys() - storages.keys():
        raise _NotTensorsError(f"lacks the storage {min(missing)}")
    return {name: _view(tensor, storages) for name, tensor in tensors.items()}


def _read_safetensors(data: bytes) -> Tensors:
    start = 8 + int.from_bytes(data[:8], "little")
    if start > len(data):
        raise _NotTensorsError("is neither of them, or cut off")
    try:
        header = json.loads(data[8:start])
    except RecursionError:
        header = None
    if not isinstance(header, dict):
        raise _NotTensorsError("has a header that is no table of tensors")
    header.pop("__metadata__", None)
    if not header:
        raise _NotTensorsError("holds no dictionary of tensors")
    tensors = {}
    for name, entry in header.items():
        try:
            kind = _SAFETENSORS_TYPES[entry["dtype"]]
            shape = tuple(entry["shape"])
            first, last = entry["data_offsets"]
            fits = (
                all(type(size) is int and size >= 0 for size in (*shape, first, last))
                and last <= len(data) - start
                and math.prod(shape) * _itemsize(kind) == last - first
            )
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits:
            raise _NotTensorsError(f"describes {name[:80]} in a way that does not fit its data")
        body = memoryview(data)[start + first : start + last]
        tensors[name] = _numbers(body, kind, math.prod(shape)).reshape(shape)
    return tensors


def _state_dict(content: Any) -> dict[str, _Tensor]:
    """Picks the tensors by name out of what the pickle describes."""
    for key in _NESTED_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not content:
        raise _NotTensorsError("holds no dictionary of tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise _NotTensorsError(f"holds something other than a tensor as {str(name)[:80]!r}")
    return content


def _interpret(stream: io.BytesIO) -> Any:
    """Interprets the pickle at the stream's position and leaves the stream behind it."""
    argument: Any
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    try:
        for opcode, argument, _ in pickletools.genops(stream):
            name = opcode.name
            if name in _LITERALS:
                stack.append(argument)
            elif name in _CONSTANTS:
                stack.append(_CONSTANTS[name]())
            elif name == "STOP":
                return stack.pop()
            elif name == "MARK":
                marks.append(len(stack))
            elif name in ("BINPUT", "LONG_BINPUT"):
                memo[argument] = stack[-1]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            elif name == "TUPLE":
                stack.append(tuple(since_mark()))
            elif name in _TUPLES:
                count = _TUPLES[name]
                stack[-count:] = [tuple(stack[-count:])]
            elif name == "APPEND":
                item = stack.pop()
                _expect(list, stack[-1]).append(item)
            elif name == "APPENDS":
                items = since_mark()
                _expect(list, stack[-1]).extend(items)
            elif name == "SETITEM":
                items = [stack.pop(-2), stack.pop()]
                _update(stack[-1], items)
            elif name == "SETITEMS":
                items = since_mark()
                _update(stack[-1], items)
            elif name == "GLOBAL":
                stack.append(_Global(argument.replace(" ", ".")))
            elif name == "STACK_GLOBAL":
                stack[-2:] = [_Global(".".join(map(str, stack[-2:])))]
            elif name == "BINPERSID":
                stack.append(_storage(stack.pop()))
            elif name in ("REDUCE", "NEWOBJ"):
                arguments, function = stack.pop(), stack.pop()
                stack.append(_rebuild(function, arguments))
            elif name == "BUILD":
                stack.pop()  # attributes, such as a state dict's version numbers
            elif name not in ("PROTO", "FRAME"):
                raise _NotTensorsError(f"holds more than tensors (opcode {name})")
    except (IndexError, KeyError, TypeError, OverflowError) as error:
        raise ValueError("its pickle is inconsistent") from error
    raise ValueError("its pickle has no end")


_LITERALS = frozenset(
    {"BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _expect(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value


def _update(target: Any, items: list[Any]) -> None:
    """Adds keys and values in turn to a dictionary."""
    for key, value in zip(items[::2], items[1::2], strict=True):
        # The keys of a state dict; others, such as deeply nested tuples, may not hash.
        if not isinstance(key, str | int):
            raise TypeError
        _expect(dict, target)[key] = value


def _storage(identity: Any) -> _Storage:
    """Turns a persistent id `("storage", type, key, device, numel, …)` into a storage."""
    tag, kind, key, _, numel, *view = _expect(tuple, identity)
    if view not in ([], [None]):
        raise _NotTensorsError("has storages that are views of others, as PyTorch 0.3 wrote them")
    if tag != "storage" or not isinstance(kind, _Global) or kind.name not in _STORAGE_TYPES:
        raise _NotTensorsError(f"holds numbers of an unknown type ({str(kind)[:60]})")
    if not _are_sizes((numel,)):
        raise TypeError
    return _Storage(_STORAGE_TYPES[kind.name], _expect(str, key), numel)


def _rebuild(function: Any, arguments: Any) -> Any:
    """Interprets a call in the pickle; the few that describe tensors are known by name."""
    name = _expect(_Global, function).name
    arguments = _expect(tuple, arguments)
    if name == "collections.OrderedDict":
        if arguments:
            raise TypeError
        return {}
    if name == "torch._utils._rebuild_parameter":
        return _expect(_Tensor, arguments[0])
    if name in ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"):
        storage, offset, shape, strides, *_ = arguments
        tensor = _Tensor(_expect(_Storage, storage), offset, shape, strides)
        if not _are_sizes((offset, *_expect(tuple, shape), *_expect(tuple, strides))):
            raise TypeError
        return tensor
    raise _NotTensorsError(f"holds more than tensors ({name[:80]})")


def _are_sizes(values: tuple[Any, ...]) -> bool:
    return all(type(value) is int and 0 <= value < 2**48 for value in values)


def _itemsize(kind: str) -> int:
    return 2 if kind == "bf16" else np.dtype(kind).itemsize


def _numbers(data: bytes | memoryview, kind: str, count: int) -> NDArray[Any]:
    if len(data) != count * _itemsize(kind):
        raise _NotTensorsError("is cut off: a tensor's numbers are missing")
    if kind == "bf16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    dtype = np.dtype(kind)
    return np.frombuffer(data, dtype if kind == "?" else dtype.newbyteorder("<"))


def _view(tensor: _Tensor, storages: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    flat = storages[tensor.storage.key]
    shape, strides = tensor.shape, tensor.strides
    last = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(shape, strides, strict=True)
    )
    if 0 not in shape and (last >= flat.size or math.prod(shape) > flat.size):
        raise _NotTensorsError("has a tensor that reaches beyond its numbers")
    if 0 in shape:
        return np.zeros(shape, flat.dtype)
    return np.lib.stride_tricks.as_strided(
        flat[tensor.offset :],
        shape,
        [stride * flat.itemsize for stride in strides],
        writeable=False,
    )
