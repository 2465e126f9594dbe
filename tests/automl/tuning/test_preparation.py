"""Which images train and which are held out, where the user brings the latter."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import automl
from automl.cache import Cache
from automl.errors import DataError
from automl.tuning.preparation import by_split, prepare, rejection_notes


@pytest.fixture
def divide(tmp_path):
    """Returns a function that prepares training and held-out images."""

    def divided(dataset, test, side=8):
        cache = Cache(tmp_path / "cache", time.time())
        return prepare(dataset, test, side, 0, cache, lambda done, total: None)

    return divided


@pytest.fixture(scope="module")
def images(digits):
    return automl.Dataset.from_folder(digits)


def test_a_test_set_of_its_own_costs_no_training_image(divide, images):
    train, test = images.split(train_size=0.75, seed=1)
    prepared = divide(train, test)
    assert (len(prepared.train), len(prepared.test)) == (len(train), len(test))
    assert prepared.notes == []


def test_images_of_the_test_set_are_left_out_of_training(divide, images):
    _, test = images.split(train_size=0.75, seed=1)
    prepared = divide(images, test)
    held_out = prepared.images.select(prepared.test)
    assert sorted(held_out.ids) == sorted(test.ids)
    assert not set(prepared.images.select(prepared.train).ids) & set(held_out.ids)
    assert prepared.notes == [
        f"Left out of training, since the test set holds the same pictures: {len(test)} images."
    ]


def test_a_test_set_that_is_the_training_set_is_refused(divide, images):
    with pytest.raises(DataError, match="not in the test set, found 0 in '0'"):
        divide(images, images)


def test_a_class_that_the_test_set_lacks_is_told(divide, images):
    train, test = images.split(train_size=0.75, seed=1)
    prepared = divide(train, test.select([i for i, y in enumerate(test.y) if y != 2]))
    assert prepared.notes == [
        "The test set has no image of some classes, about which its figures say nothing: 2."
    ]


def with_splits(images, splits):
    column = images.table.schema.get_field_index("split")
    return automl.Dataset(images.table.set_column(column, "split", pa.array(splits, pa.string())))


def test_the_split_test_is_held_out_and_val_validates(divide, images):
    rows = range(len(images))
    split = with_splits(
        images, ["test" if i % 4 == 0 else "val" if i % 4 == 1 else None for i in rows]
    )
    train, held_out = by_split(split, None)
    assert held_out.paths == images.paths[::4]
    prepared = divide(train, held_out)
    ((fitted, validation),) = prepared.folds
    paths = prepared.images.select(prepared.train).paths
    assert [paths[i] for i in validation] == images.paths[1::4]
    assert sorted([*fitted, *validation]) == list(range(72))


def test_the_split_test_never_trains(images):
    split = with_splits(images, ["test", "test", *["train"] * 94])
    train, held_out = by_split(split, images.select([5]))
    assert train.paths == images.paths[2:]
    assert held_out.paths == images.paths[5:6]
    assert by_split(images, None) == (images, None)


def test_rows_that_were_left_out_are_told():
    assert rejection_notes(["a.", "b."]) == ["Left out: a.", "Left out: b."]
    assert rejection_notes(["a."] * 12, 10)[-1] == "Left out too, for such reasons: 2 more rows."


def test_near_copies_are_on_one_side_of_every_split(divide, tmp_path):
    chance = np.random.default_rng(0)
    for number in range(40):
        noise = Image.fromarray(chance.integers(0, 256, (7, 7, 3)).astype(np.uint8))
        picture = noise.resize((80, 80), Image.Resampling.BICUBIC)
        for name, made in (("first", picture), ("second", picture.crop((3, 2, 78, 79)))):
            path = tmp_path / "images" / "ab"[number % 2] / f"{number}-{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            made.save(path)
    images = automl.Dataset.from_folder(tmp_path / "images")
    prepared = divide(images, None, 32)
    assert prepared.notes[0].startswith(
        "On one side of every split, since they are nearly the same picture: 40 pairs of images"
    )
    numbers = np.array([Path(path).name.split("-")[0] for path in images.paths])
    assert not set(numbers[prepared.train]) & set(numbers[prepared.test])
    for fitted, validation in prepared.folds:
        train = numbers[prepared.train]
        assert not set(train[fitted]) & set(train[validation])
    test = images.select(prepared.test[:1])
    left = divide(images, test, 32)
    assert "the same pictures: 2 images." in left.notes[1]
