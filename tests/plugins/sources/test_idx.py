"""MNIST's files."""

from __future__ import annotations

import contextlib
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl import Dataset
from automl.errors import DataError
from automl.images import decode


def write(folder: Path, prefix: str, x: np.ndarray, y: np.ndarray, packed: bool) -> None:
    for kind, array in (("images-idx3", x), ("labels-idx1", y)):
        content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        content += array.astype(np.uint8).tobytes()
        path = folder / f"{prefix}-{kind}-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content) if packed else content)


X = np.arange(6 * 5 * 4).reshape(6, 5, 4).astype(np.uint8)
Y = np.array([3, 1, 4, 1, 5, 9])


@pytest.mark.parametrize("packed", [True, False])
def test_pairs_are_splits_of_png_files(tmp_path: Path, packed: bool):
    write(tmp_path, "train", X[:4], Y[:4], packed)
    write(tmp_path, "t10k", X[4:], Y[4:], packed)
    dataset = Dataset.from_source(tmp_path, tmp_path / "workspace")
    assert dataset.labels == ("1", "3", "4", "5", "9")
    test, train = dataset.filter(split="test"), dataset.filter(split="train")
    assert train.table.column("label").to_pylist() == ["3", "1", "4", "1"]
    assert test.table.column("label").to_pylist() == ["5", "9"]
    for path, pixels in zip(train.paths, X[:4], strict=True):
        assert (decode(path) == pixels[:, :, None]).all()


def test_what_does_not_belong_together(tmp_path: Path):
    write(tmp_path, "train", X, Y[:5], False)
    with pytest.raises(DataError, match=r"as many class numbers as pictures \(6\), found 5 in"):
        Dataset.from_source(tmp_path, tmp_path / "workspace")
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"labels-idx1-ubyte, found .*No such file"):
        Dataset.from_source(tmp_path, tmp_path / "workspace")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(header=st.binary(max_size=20), keep=st.integers(0, 140))
def test_any_bytes_are_pictures_or_one_sentence(tmp_path: Path, header: bytes, keep: int):
    write(tmp_path, "train", X, Y, False)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(header + path.read_bytes()[len(header) : keep])
    with contextlib.suppress(DataError):
        assert len(Dataset.from_source(tmp_path, tmp_path / "workspace")) == 6
