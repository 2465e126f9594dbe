"""Folders that are split already."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from automl import Dataset


def pictures(folder: Path, *labels: str) -> None:
    for label in labels:
        (folder / label).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(folder / label / "1.png")


def test_splits_are_kept(tmp_path: Path):
    for split in ("train", "valid", "test"):
        pictures(tmp_path / split, "cat", "dog")
    dataset = Dataset.from_source(tmp_path)
    assert dataset.labels == ("cat", "dog")
    assert dataset.table.column("split").to_pylist() == [
        *["test"] * 2, *["train"] * 2, *["val"] * 2
    ]  # fmt: skip


@pytest.mark.parametrize(
    "folders", [("train/a", "test/a", "bus/a"), ("train", "test"), ("train/a",)]
)
def test_folders_that_are_classes_of_such_names(tmp_path: Path, folders: tuple[str, ...]):
    for folder in folders:
        pictures((tmp_path / folder).parent, Path(folder).name)
    dataset = Dataset.from_source(tmp_path)
    assert set(dataset.labels) == {folder.split("/")[0] for folder in folders}
    assert dataset.table.column("split").null_count == len(dataset)
