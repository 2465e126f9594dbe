"""Folders as datasets, and what can be done with a dataset."""

from __future__ import annotations

import os
import random
import time

import numpy as np
import pytest
from PIL import Image

from automl import Dataset
from automl.cache import Cache
from automl.components import ImageRecord
from automl.data.pixels import open_pixels
from automl.errors import DataError
from automl.workspace import Workspace


def picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (value, 255 - value, value // 2)).save(path, "PNG")


@pytest.fixture
def folder(tmp_path):
    """Ten different pictures in each of the classes b and a."""
    for place, label in enumerate("ba"):
        for number in range(10):
            picture(tmp_path / "images" / label / f"{number}.png", 20 * number + place)
    return tmp_path / "images"


class TestFolders:
    def test_classes_and_files_in_alphabetical_order(self, folder):
        dataset = Dataset.from_folder(folder)
        assert dataset.labels == ("a", "b")
        assert len(dataset) == 20
        assert dataset.y.tolist() == [0] * 10 + [1] * 10
        assert dataset.paths[0] == str(folder / "a" / "0.png")
        assert dict(dataset.counts) == {"a": 10, "b": 10}
        assert repr(dataset) == "Dataset(20 images, 2 classes)"

    def test_images_at_any_depth(self, folder):
        picture(folder / "a" / "deep" / "deeper" / "x.png")
        dataset = Dataset.from_folder(folder)
        assert dict(dataset.counts) == {"a": 11, "b": 10}
        assert str(folder / "a" / "deep" / "deeper" / "x.png") in dataset.paths

    def test_links_are_followed(self, folder, tmp_path):
        picture(tmp_path / "elsewhere" / "x.png")
        (folder / "c").symlink_to(tmp_path / "elsewhere")
        (folder / "a" / "more").symlink_to(tmp_path / "elsewhere")
        (folder / "b" / "link.png").symlink_to(tmp_path / "elsewhere" / "x.png")
        assert dict(Dataset.from_folder(folder).counts) == {"a": 11, "b": 11, "c": 1}
        (tmp_path / "link").symlink_to(folder)
        assert len(Dataset.from_folder(tmp_path / "link")) == 23

    def test_link_loops_end(self, folder):
        (folder / "a" / "up").symlink_to(folder / "a")
        (folder / "b" / "higher").symlink_to(folder)
        (folder / "b" / "self").symlink_to(folder / "b" / "self")
        dataset = Dataset.from_folder(folder)
        assert dataset.labels == ("a", "b")
        assert dataset.counts["a"] == 10
        assert dataset.counts["b"] >= 10

    def test_hidden_files_and_folders_are_passed_over(self, folder):
        picture(folder / "a" / ".hidden.png")
        picture(folder / "a" / ".folder" / "x.png")
        picture(folder / ".git" / "x.png")
        (folder / "notes.txt").write_text("not in a class")
        assert dict(Dataset.from_folder(folder).counts) == {"a": 10, "b": 10}

    def test_a_file_that_is_no_image_is_no_secret(self, folder):
        (folder / "a" / "notes.txt").write_text("Dear diary")
        assert str(folder / "a" / "notes.txt") in Dataset.from_folder(folder).paths

    def test_an_empty_class_folder_is_no_class(self, folder):
        (folder / "c").mkdir()
        assert Dataset.from_folder(folder).labels == ("a", "b")

    @pytest.mark.parametrize(
        "label", ["größe mm", "緑", "a b", "-rf", 'it\'s "q" &<b>', "x..", "a\nb", "x" * 200, "%2F"]
    )
    def test_odd_labels(self, folder, label):
        picture(folder / label / "x y.png")
        dataset = Dataset.from_folder(folder)
        assert label in dataset.labels
        assert dataset.counts[label] == 1

    def test_names_that_are_no_utf_8(self, folder, tmp_path):
        """Linux allows any byte in a name; such a file is set aside, with the reason."""
        odd = folder / "a" / os.fsdecode(b"caf\xe9.png")
        picture(odd)
        picture(folder / "a" / r"caf\xe9 but really so.png")
        dataset = Dataset.from_folder(folder)
        assert dataset.counts["a"] == 12
        pixels = open_pixels(dataset, 4, Cache(tmp_path / "cache", time.time()))
        (reason,) = pixels.unreadable.values()
        assert reason == f"expected a file name in UTF-8, found {folder}/a/caf\\xe9.png; rename it."
        assert reason.encode()

    def test_a_class_whose_name_is_no_utf_8(self, folder):
        picture(folder / os.fsdecode(b"v\xf6gel") / "x.png")
        with pytest.raises(DataError, match=r"class names in UTF-8, found v\\xf6gel; rename it"):
            Dataset.from_folder(folder)

    def test_what_is_no_folder_of_class_folders(self, tmp_path):
        (tmp_path / "empty").mkdir()
        picture(tmp_path / "flat" / "x.png")
        (tmp_path / "file").write_bytes(b"")
        for name, found in [
            ("missing", "found nothing at"),
            ("empty", "found no sub-folders with images"),
            ("flat", "found 1 image without class folders"),
            ("file", "found a file at"),
        ]:
            with pytest.raises(DataError, match=f"expected .*{found}"):
                Dataset.from_folder(tmp_path / name)
            with pytest.raises(DataError, match="expected "):
                Dataset.from_source(tmp_path / name)


class TestRows:
    def test_images_are_a_sequence(self, folder):
        dataset = Dataset.from_folder(folder)
        images = dataset.images
        assert len(images) == 20
        assert [image.label for image in images] == ["a"] * 10 + ["b"] * 10
        assert images[-1] == list(images)[19]
        assert images[3:5] == list(images)[3:5]
        assert images[0].path == folder / "a" / "0.png"
        assert images[0].id == ""
        assert len(dataset.with_ids().images[0].id) == 16
        with pytest.raises(IndexError, match="below 20"):
            images[20]

    def test_selection_keeps_all_classes(self, folder):
        dataset = Dataset.from_folder(folder)
        part = dataset.select([19, 11, 15])
        assert part.paths == [dataset.paths[row] for row in (19, 11, 15)]
        assert part.labels == ("a", "b")
        assert part.y.tolist() == [1, 1, 1]
        assert dict(part.counts) == {"a": 0, "b": 3}
        assert len(dataset.select([])) == 0

    def test_relabelled_numbers_follow_the_given_labels(self, folder):
        dataset = Dataset.from_folder(folder).relabelled(["z", "b", "a"])
        assert dataset.labels == ("z", "b", "a")
        assert dataset.y.tolist() == [2] * 10 + [1] * 10
        with pytest.raises(DataError, match="expected only the classes 'a', 'c', found 'b' too"):
            dataset.relabelled(["a", "c"])

    def test_followed_by(self, folder):
        dataset = Dataset.from_folder(folder)
        both = dataset.select([0, 1]).followed_by(dataset.select([15]))
        assert both.paths == [dataset.paths[row] for row in (0, 1, 15)]

    def test_records_of_any_source(self, tmp_path):
        records = [ImageRecord(tmp_path / "x.png", "b"), ImageRecord(tmp_path / "y.png", "a")]
        dataset = Dataset.from_records(records)
        assert dataset.labels == ("a", "b")
        assert dataset.y.tolist() == [1, 0]


class TestFingerprint:
    def test_it_depends_on_no_order_and_no_place(self, folder, tmp_path):
        dataset = Dataset.from_folder(folder)
        rows = list(range(20))
        random.Random(0).shuffle(rows)
        assert dataset.select(rows).fingerprint == dataset.fingerprint
        moved = tmp_path / "moved"
        for label in "ab":
            (moved / label).mkdir(parents=True)
            for number, path in enumerate(sorted((folder / label).iterdir(), reverse=True)):
                (moved / label / f"renamed {number}").write_bytes(path.read_bytes())
        assert Dataset.from_folder(moved).fingerprint == dataset.fingerprint

    def test_it_depends_on_contents_labels_and_number(self, folder):
        dataset = Dataset.from_folder(folder)
        seen = {dataset.fingerprint, dataset.select(range(19)).fingerprint}
        (folder / "a" / "0.png").rename(folder / "b" / "a0.png")
        seen.add(Dataset.from_folder(folder).fingerprint)
        picture(folder / "b" / "a0.png", 99)
        seen.add(Dataset.from_folder(folder).fingerprint)
        assert len(seen) == 4


class TestSplit:
    def test_the_same_seed_gives_the_same_parts(self, folder):
        dataset = Dataset.from_folder(folder)
        first, again = dataset.split(0.66, seed=3), dataset.split(0.66, seed=3)
        assert [part.paths for part in first] == [part.paths for part in again]
        assert dataset.split(0.66, seed=4)[0].paths != first[0].paths

    def test_the_parts_are_stratified_and_cover_the_whole(self, folder):
        dataset = Dataset.from_folder(folder)
        train, test = dataset.split(train_size=0.6)
        assert dict(train.counts) == {"a": 6, "b": 6}
        assert dict(test.counts) == {"a": 4, "b": 4}
        assert sorted(train.paths + test.paths) == sorted(dataset.paths)

    def test_without_strata(self, folder):
        train, test = Dataset.from_folder(folder).split(0.5, stratify=False, seed=1)
        assert len(train) == len(test) == 10
        assert np.ptp(list(train.counts.values())) > 0


def test_a_workspace_among_the_class_folders_is_no_class(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.jpg").touch()
    Workspace.find(tmp_path / "automl-workspace")
    assert Dataset.from_folder(tmp_path).labels == ("cat", "dog")


def test_a_dataset_is_written_and_read(folder, tmp_path):
    dataset = Dataset.from_folder(folder)
    part = dataset.select([0, 3, 5])
    part.to_parquet(tmp_path / "part.parquet")
    read = Dataset.from_parquet(tmp_path / "part.parquet")
    assert read.table.equals(part.table)
    assert read.labels == part.labels == ("a", "b")  # also those that it has no picture of
    assert read.fingerprint == part.fingerprint


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more"])
def test_what_is_no_dataset_is_one_sentence(tmp_path, content):
    path = tmp_path / "x.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"^expected a dataset in Parquet, found .*; write it"):
        Dataset.from_parquet(path)
