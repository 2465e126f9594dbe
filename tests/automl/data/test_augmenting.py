"""Varied copies of training images."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import automl
from automl.data import augmenting
from automl.errors import UsageError
from automl.images import decode


@pytest.fixture(scope="module")
def iaa():
    return automl.augmenters()


@pytest.fixture
def dataset(tmp_path):
    generator = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(3):
            pixels = generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"{number}.png")
    return automl.Dataset.from_folder(tmp_path / "images")


def with_column(dataset, name, values):
    table = dataset.table
    column = pa.array(values, pa.string())
    if name in table.column_names:
        table = table.drop([name])
    return automl.Dataset(table.append_column(name, column), dataset.labels)


def rows(dataset):
    return dataset.table.to_pylist()


def test_each_pipeline_makes_a_copy_of_the_whole_image(dataset, iaa, tmp_path):
    pipelines = [iaa.Fliplr(1.0), iaa.Sequential([iaa.Flipud(1.0), iaa.Rot90(1, keep_size=False)])]
    found = automl.augment_dataset(dataset, pipelines, tmp_path / "copies")
    assert len(found) == 18
    assert found.labels == dataset.labels
    assert found.paths[:6] == dataset.paths
    originals = [decode(path) for path in dataset.paths]
    for original, first, second in zip(originals, found.paths[6:12], found.paths[12:], strict=True):
        np.testing.assert_array_equal(decode(first), original[:, ::-1])
        np.testing.assert_array_equal(decode(second), np.rot90(original[::-1], -1))
    assert [row["label"] for row in rows(found)] == [*"aaabbb"] * 3


def test_copies_know_their_parent_and_are_of_its_group(dataset, iaa, tmp_path):
    dataset = with_column(dataset, "group", ["one", None, None, None, None, "one"])
    found = automl.augment_dataset(dataset, [iaa.Fliplr(1.0)], tmp_path / "copies")
    again = automl.Dataset(found.table.drop(["id"]).append_column("id", pa.array([""] * 12)))
    assert again.ids == found.ids  # they are those of the files' content
    assert len(set(found.ids)) == 12
    assert [row["parent"] for row in rows(found)] == [None] * 6 + dataset.ids
    groups = ["one", *dataset.ids[1:5], "one"]
    assert [row["group"] for row in rows(found)] == groups * 2


def test_no_split_parts_a_copy_from_its_parent(dataset, iaa, tmp_path):
    found = automl.augment_dataset(dataset, [iaa.Fliplr(1.0), iaa.Flipud(1.0)], tmp_path / "copies")
    parts = found.split(0.5, seed=1, group="group")
    families = [{row["group"] for row in rows(part)} for part in parts]
    assert not families[0] & families[1]
    assert [len(part) for part in parts] == [3 * len(family) for family in families]
    assert found.merge(dataset).table.num_rows == 24


def test_only_training_images_are_copied(dataset, iaa, tmp_path):
    dataset = with_column(dataset, "split", ["train", "val", "test", None, "", "train"])
    found = automl.augment_dataset(dataset, [iaa.Fliplr(1.0)], tmp_path / "copies")
    assert [row["parent"] for row in rows(found)[6:]] == [dataset.ids[i] for i in (0, 3, 4, 5)]
    assert [row["group"] for row in rows(found)[1:3]] == [None, None]


def test_the_seed_decides_whatever_the_order_and_the_threads(dataset, iaa, tmp_path, monkeypatch):
    pipelines = [iaa.AdditiveGaussianNoise(scale=20), iaa.Affine(rotate=(-40, 40))]

    def copies(dataset, seed=0):
        made = automl.augment_dataset(dataset, pipelines, tmp_path / "copies", seed)
        return [row["id"] for row in rows(made) if row["parent"]]

    first = copies(dataset)
    assert len(set(first)) == 12
    assert copies(dataset) == first
    assert set(copies(dataset.select([5, 3, 1, 0, 2, 4]))) == set(first)
    assert not set(copies(dataset, seed=1)) & set(first)
    monkeypatch.setattr(augmenting, "cores", lambda: 1)
    monkeypatch.setattr(augmenting, "_AT_ONCE", 2)
    assert copies(dataset) == first


def test_progress_counts_copies(dataset, iaa, tmp_path):
    calls = []
    augmenting.augment_dataset(
        dataset, [iaa.Identity()] * 2, tmp_path / "copies", progress=lambda *n: calls.append(n)
    )
    assert calls == [(done, 12) for done in range(1, 13)]


def test_the_workspace_keeps_the_copies(dataset, iaa, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_WORKSPACE", str(tmp_path / "workspace"))
    found = automl.augment_dataset(dataset, [iaa.Fliplr(1.0)])
    assert set(found.paths[6:]) == {
        str(path) for path in (tmp_path / "workspace" / "augmented").iterdir()
    }


def test_what_cannot_be_read_is_left_out_with_a_warning(dataset, iaa, tmp_path, caplog):
    (tmp_path / "images" / "a" / "1.png").write_bytes(b"no image")
    dataset = automl.Dataset.from_folder(tmp_path / "images")
    assert len(automl.augment_dataset(dataset, [iaa.Fliplr(1.0)], tmp_path / "copies")) == 11
    assert "copies left out: 1" in caplog.text
    assert "1.png" in caplog.text


def test_what_is_no_pipeline_is_refused(dataset, iaa):
    for pipelines, sentence in (
        ([], "found none"),
        (iaa.Sequential([iaa.Fliplr(1.0)]), "found a single one; put it in brackets"),
        (["flip"], r"found 'flip' as number 1; make one by automl\.augmenters\(\)"),
        ([iaa.Identity(), iaa.Fliplr], "as number 2; call it"),
        (None, "found None as number 1"),
    ):
        with pytest.raises(UsageError, match=sentence):
            automl.augment_dataset(dataset, pipelines)


def test_a_pipeline_that_fails_is_named(dataset, iaa, tmp_path):
    def fail(images, *others):
        raise ValueError("no pixels left")

    def grey(images, *others):
        return [image[..., :1] for image in images]

    for function, sentence in (
        (fail, "expected the pipeline mine to vary .*png, found ValueError: no pixels left"),
        (grey, r"found uint8 \[9, 12, 1\] for .*png"),
    ):
        with pytest.raises(UsageError, match=sentence):
            automl.augment_dataset(dataset, [iaa.Lambda(function, name="mine")], tmp_path / "c")
