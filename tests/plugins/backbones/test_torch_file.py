"""The reader gives what PyTorch saved, or one sentence, whatever the bytes are."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from automl.errors import WeightsUnavailableError
from automl_plugins.backbones.torch_file import read_tensors

QUICK = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FORMATS = ["zip", "legacy", "safetensors"]


def _tensors():
    rng = np.random.default_rng(0)
    return {
        "conv.weight": rng.normal(size=(4, 3, 2, 2)).astype(np.float32),
        "bn.running_mean": rng.normal(size=4),
        "bn.num_batches_tracked": np.array(7),
        "half": rng.normal(size=(2, 5)).astype(np.float16),
        "mask": np.array([True, False]),
        "empty": np.zeros((0, 3), np.float32),
    }


def _safetensors(tensors):
    """Writes the format as its specification says."""
    names = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "bool": "BOOL"}
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors.items():
        data = array.tobytes()
        header[name] = {
            "dtype": names[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def _torch_bytes(content, zipped=True):
    torch = pytest.importorskip("torch", reason="PyTorch writes the files that this test reads")
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def _encode(kind, tensors):
    if kind == "safetensors":
        return _safetensors(tensors)
    torch = pytest.importorskip("torch", reason="PyTorch writes the files that this test reads")
    state = {name: torch.from_numpy(array) for name, array in tensors.items()}
    return _torch_bytes(state, zipped=kind == "zip")


@pytest.fixture(params=FORMATS)
def encoded(request):
    return _encode(request.param, _tensors())


def _read(tmp_path, data):
    file = tmp_path / "weights"
    file.write_bytes(data)
    return read_tensors(file)


def _read_or_refuse(tmp_path, data):
    """Reads; anything but arrays or one sentence is a failure."""
    try:
        tensors = _read(tmp_path, data)
    except WeightsUnavailableError as error:
        message = str(error)
        assert "\n" not in message
        assert "expected a PyTorch or safetensors file" in message
        return None
    assert all(isinstance(array, np.ndarray) for array in tensors.values())
    total = sum(array.size for array in tensors.values())
    assert total <= len(data) * max(1, len(tensors))
    return tensors


def test_every_format_round_trips(tmp_path, encoded):
    found = _read(tmp_path, encoded)
    assert found.keys() == _tensors().keys()
    for name, array in _tensors().items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("zipped", [True, False])
def test_views_parameters_bfloat16_and_checkpoints(tmp_path, zipped):
    torch = pytest.importorskip("torch", reason="PyTorch writes the files that this test reads")
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = {
        "transposed": base.T,
        "slice": base[1:3, ::2],
        "parameter": torch.nn.Parameter(base),
        "bfloat16": (base / 3).to(torch.bfloat16),
    }
    checkpoint = {"epoch": 3, "loss": 0.5, "note": None, "state_dict": state}
    found = _read(tmp_path, _torch_bytes(checkpoint, zipped))
    expected = base.numpy()
    np.testing.assert_array_equal(found["transposed"], expected.T)
    np.testing.assert_array_equal(found["slice"], expected[1:3, ::2])
    np.testing.assert_array_equal(found["parameter"], expected)
    np.testing.assert_array_equal(found["bfloat16"], state["bfloat16"].float().numpy())


@pytest.mark.parametrize("zipped", [True, False])
def test_a_module_with_buffers_round_trips(tmp_path, zipped):
    torch = pytest.importorskip("torch", reason="PyTorch writes the files that this test reads")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    found = _read(tmp_path, _torch_bytes(module.state_dict(), zipped))
    for name, tensor in module.state_dict().items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


@QUICK
@given(
    tensors=st.dictionaries(
        st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__"),
        hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=4, max_side=4)),
        min_size=1,
        max_size=4,
    )
)
def test_any_safetensors_round_trip(tmp_path, tensors):
    found = _read(tmp_path, _safetensors(tensors))
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_safetensors_file_may_begin_like_a_pickle(tmp_path):
    """Its first byte is the length of its header, which may be a pickle's first byte."""
    length = 0x80
    text = json.dumps({"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}})
    header = text.ljust(length).encode()
    data = length.to_bytes(8, "little") + header + np.float32(3).tobytes()
    assert _read(tmp_path, data)["a"] == 3


@QUICK
@given(data=st.data())
def test_damage_is_refused_or_harmless(tmp_path, encoded, data):
    damaged = bytearray(encoded)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refuse(tmp_path, bytes(damaged))


def test_every_cut_of_the_last_hundred_bytes_is_refused(tmp_path, encoded):
    for missing in range(1, 101):
        assert _read_or_refuse(tmp_path, encoded[:-missing]) is None, missing


@QUICK
@given(part=st.floats(0, 1, exclude_max=True))
def test_a_cut_off_file_is_refused(tmp_path, encoded, part):
    assert _read_or_refuse(tmp_path, encoded[: int(part * len(encoded))]) is None


@QUICK
@given(data=st.binary(max_size=200), magic=st.sampled_from([b"", b"\x80\x02", b"PK\x03\x04"]))
def test_noise_is_refused_or_harmless(tmp_path, data, magic):
    _read_or_refuse(tmp_path, magic + data)


class _Payload:
    """What a hostile file would carry: unpickling it would create a file."""

    def __init__(self, target):
        self._target = target

    def __reduce__(self):
        return open, (str(self._target), "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_that_a_file_names_is_called(tmp_path, zipped):
    target = tmp_path / "created"
    hostile = pickle.dumps({"weight": _Payload(target)}, protocol=2)
    if zipped:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("archive/data.pkl", hostile)
        data = buffer.getvalue()
    else:
        system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
        head = [0x1950A86A20F9469CFC6C, 1001, system]
        data = b"".join(pickle.dumps(item, protocol=2) for item in head) + hostile
    with pytest.raises(WeightsUnavailableError, match=r"holds more than tensors \(.*open"):
        _read(tmp_path, data)
    assert not target.exists()


def test_a_whole_pickled_module_is_refused_by_its_name(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch writes the files that this test reads")
    data = _torch_bytes(torch.nn.Linear(2, 2))
    with pytest.raises(WeightsUnavailableError, match=r"torch\.nn\.modules\.linear\.Linear"):
        _read(tmp_path, data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is neither of them"),
        (b"hello world, this is a text", "is neither of them"),
        (pickle.dumps([1, 2, 3]), "not one of PyTorch's"),
        (_safetensors({"a": np.ones(4, np.float32)})[:-1], "describes a in a way"),
        (b"\x02" + bytes(7) + b"{}" + bytes(8), "holds no dictionary of tensors"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path, data, reason):
    with pytest.raises(WeightsUnavailableError, match=reason):
        _read(tmp_path, data)


def test_a_zip_of_something_else_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/readme.txt", "hello")
    with pytest.raises(WeightsUnavailableError, match=r"without PyTorch's data\.pkl"):
        _read(tmp_path, buffer.getvalue())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsUnavailableError, match=r"gone\.pth cannot be read \(No such file"):
        read_tensors(tmp_path / "gone.pth")
