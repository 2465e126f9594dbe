"""Which images train and which are held out, where the user brings the latter."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

import automl
from automl.cache import Cache
from automl.errors import DataError
from automl.tuning.preparation import by_split, prepare, rejection_notes


@pytest.fixture
def divide(tmp_path):
    """Returns a function that prepares training and held-out images."""

    def divided(dataset, test):
        cache = Cache(tmp_path / "cache", time.time())
        return prepare(dataset, test, 8, 0, cache, lambda done, total: None)

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
        f"Left out of training, since the test set holds the same files: {len(test)} images."
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
