"""Which images train and which are held out, where the user brings the latter."""

from __future__ import annotations

import time

import pytest

import automl
from automl.cache import Cache
from automl.errors import DataError
from automl.tuning.preparation import prepare


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
