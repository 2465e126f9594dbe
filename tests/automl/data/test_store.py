"""Datasets by name, arrays as datasets, and what a dataset can be turned into."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from automl import Dataset
from automl.data.store import list_datasets, load_dataset, save_dataset
from automl.errors import DataError, NotFoundError, UsageError
from automl.images import decode
from automl.workspace import Workspace


@pytest.fixture(scope="module")
def images(digits: Path) -> Dataset:
    return Dataset.from_folder(digits)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.find(tmp_path / "workspace")


def test_versions_are_kept_side_by_side(images: Dataset, workspace: Workspace, digits: Path):
    first = save_dataset(workspace, "digits", images, str(digits))
    second = save_dataset(workspace, "digits", images.select([0, 30]), str(digits), parent=1)
    assert (first.version, second.version) == (1, 2)
    assert [each.path.name for each in list_datasets(workspace)] == ["1", "2"]
    assert load_dataset("digits", None, workspace).facts["images"] == 2
    opened = load_dataset("digits@1", None, workspace).open()
    assert opened.paths == images.paths  # nothing was copied
    assert opened.fingerprint == images.fingerprint == first.facts["fingerprint"]
    assert sorted(path.name for path in first.path.iterdir()) == ["dataset.json", "index.parquet"]
    assert len(Dataset.from_source("digits@1", workspace)) == len(images)
    assert len(Dataset.from_source("digits", workspace)) == 2


def test_relative_paths_mean_the_same_from_everywhere(
    workspace: Workspace, digits: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(digits.parent)
    stored = save_dataset(workspace, "x", Dataset.from_folder(digits.name), digits.name)
    assert stored.open().paths == Dataset.from_folder(digits).paths


def test_files_that_are_not_there_are_named(workspace: Workspace, tmp_path: Path, digits: Path):
    picture = next(digits.rglob("*.png"))
    table = tmp_path / "pictures.csv"
    table.write_text(f"path,label\n{picture},here\nlost.png,gone\n")
    stored = save_dataset(workspace, "x", Dataset.from_source(table, workspace), "")
    assert stored.facts["classes"] == {"here": 1}
    assert stored.open().paths == [str(picture)]
    (reason,) = stored.facts["rejected"]
    assert reason == (
        f"expected an image file at {tmp_path / 'lost.png'}, found nothing (class 'gone'); "
        f"correct it."
    )
    table.write_text("path,label\nlost.png,gone\n")
    with pytest.raises(DataError, match="found none at any of 1 paths; the first: expected an"):
        save_dataset(workspace, "x", Dataset.from_source(table, workspace), "")


def test_names_that_are_not_there(images: Dataset, workspace: Workspace):
    with pytest.raises(NotFoundError, match=r"a dataset in .* \(none yet\), found 'x'; see"):
        load_dataset("x", None, workspace)
    save_dataset(workspace, "x", images, "")
    with pytest.raises(NotFoundError, match=r"version of the dataset x \(1\), found 3"):
        Dataset.from_source("x@3", workspace)
    with pytest.raises(UsageError, match="the dataset's name to be at most"):
        save_dataset(workspace, "../x", images, "")
    with pytest.raises(DataError, match="or the name of a dataset, found nothing at y"):
        Dataset.from_source("y", workspace)


def test_a_name_that_is_a_path_too_is_asked_about(
    images: Dataset, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    save_dataset(workspace, "photos", images, "")
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UsageError, match=r"found a dataset and a path; write photos@1 or \./photos"
    ):
        Dataset.from_source("photos", workspace)
    assert len(Dataset.from_source("photos@1", workspace)) == len(images)


class TestArrays:
    x = np.arange(3 * 4 * 5 * 3).reshape(3, 4, 5, 3).astype(np.uint8)

    @pytest.mark.parametrize("shape", [(3, 4, 15), (3, 4, 15, 1), (3, 4, 5, 3)])
    def test_pictures_as_keras_has_them(self, shape: tuple[int, ...], workspace: Workspace):
        x = self.x.reshape(shape)
        dataset = Dataset.from_arrays(x, np.array([[1], [0], [1]]), ["no", "yes"], workspace)
        assert dataset.labels == ("no", "yes")
        assert dataset.y.tolist() == [1, 0, 1]
        assert (
            decode(dataset.paths[2]) == x[2].reshape(4, -1, shape[3] if len(shape) == 4 else 1)
        ).all()
        again = Dataset.from_arrays(x, np.array([0, 0, 1]), None, workspace)
        assert again.paths == dataset.paths
        assert again.labels == ("0", "1")

    @pytest.mark.parametrize(
        ("x", "y", "sentence"),
        [
            (x / 255, [0, 1, 0], r"pictures as uint8 .*, found float64 \[3, 4, 5, 3\]"),
            (x[..., :2], [0, 1, 0], r"found uint8 \[3, 4, 5, 2\]"),
            (x, [0, 1], r"expected 3 class numbers as integers .*, found int64 \[2\]"),
            (x, [0.0, 1.0, 0.0], "found float64"),
            (x, [0, 1, 2], "class numbers from 0 to 1, found 0 to 2"),
        ],
    )
    def test_what_is_something_else(self, x, y, sentence: str, workspace: Workspace):
        with pytest.raises(DataError, match=f"^(?=expected ).*{sentence}.*;"):
            Dataset.from_arrays(x, np.array(y), ["a", "b"], workspace)


class TestParts:
    def test_filter(self, images: Dataset):
        assert set(images.filter(label="1").table.column("label").to_pylist()) == {"1"}
        assert len(images.filter(label=["1", "2"], split=None)) == 48
        assert len(images.filter(pc.ends_with(pc.field("path"), "00.png"), label="3")) == 1
        assert images.filter(label="nothing").labels == images.labels
        with pytest.raises(UsageError, match=r"expected a column .*, found 'colour'; correct it"):
            images.filter(colour="red")

    def test_merge(self, images: Dataset):
        low, high = images.filter(label="0"), images.filter(label="2")
        merged = low.relabel({"0": "round"}).merge(high.relabel({"2": "swan"}))
        assert merged.labels == ("0", "1", "2", "3", "round", "swan")
        assert dict(merged.counts) == {**dict.fromkeys("0123", 0), "round": 24, "swan": 24}

    def test_relabel(self, images: Dataset):
        parity = images.relabel({"0": "even", "2": "even", "1": "odd", "3": "odd"})
        assert dict(parity.counts) == {"even": 48, "odd": 48}
        assert parity.paths == images.paths
        with pytest.raises(UsageError, match=r"expected classes of this dataset .*, found 'cat'"):
            images.relabel({"cat": "dog"})
