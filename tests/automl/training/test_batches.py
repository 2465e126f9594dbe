"""Batches of training images."""

from __future__ import annotations

import numpy as np
import pytest

from automl.training.batches import Batches

INPUTS = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)


def epochs(count, **options):
    rows = np.arange(5, 17)
    batches = Batches(INPUTS, rows, rows * 10, batch_size=4, seed=3, **options)
    seen = []
    for _ in range(count):
        seen.append([batches[index] for index in range(batches.num_batches)])
        batches.on_epoch_end()
    return seen


def flat(epoch):
    return [int(value) for inputs, _ in epoch for value in inputs.ravel()]


def test_an_epoch_is_every_row_once_with_its_class():
    for epoch in epochs(2):
        assert sorted(flat(epoch)) == list(range(5, 17))
        for inputs, y in epoch:
            assert inputs.dtype == np.float32
            assert (inputs.ravel() * 10 == y).all()


def test_the_order_changes_by_epoch_and_repeats_by_seed():
    first, second = epochs(2)
    assert flat(first) != flat(second)
    assert [flat(epoch) for epoch in epochs(2)] == [flat(first), flat(second)]


def test_a_rest_waits_and_a_small_set_is_one_batch():
    rows = np.arange(10)
    assert Batches(INPUTS, rows, rows, batch_size=4, seed=0).num_batches == 2
    few = Batches(INPUTS, rows[:3], rows[:3], batch_size=32, seed=0)
    assert few.num_batches == 1
    assert len(few[0][1]) == 3


def test_the_augmenter_gets_another_seed_for_every_batch():
    seeds = []

    def augment(images, seed):
        assert images.dtype == np.uint8
        seeds.append(seed)
        return images

    epochs(3, augmenter=augment)
    assert len(set(seeds)) == 9
    assert all(0 <= seed < 2**31 for seed in seeds)
    again, seeds = seeds, []
    epochs(3, augmenter=augment)
    assert seeds == again


@pytest.mark.parametrize("augmented", [False, True])
def test_keras_sees_every_row_once_an_epoch(augmented):
    """Also with threads that fetch ahead while an epoch ends."""
    import keras

    seen = []

    def note(images, seed):
        return images

    rows = np.arange(5, 17)
    batches = Batches(INPUTS, rows, rows, 4, seed=3, augmenter=note if augmented else None)

    class Spy(keras.Model):
        def train_step(self, data):
            seen.extend(int(value) for value in data[0].numpy().ravel())
            return {"loss": 0.0}

    model = Spy()
    model.compile(run_eagerly=True)
    model.fit(batches, epochs=3, shuffle=False, verbose=0)
    for epoch in range(3):
        part = seen[12 * epoch : 12 * epoch + 12]
        assert sorted(part) == list(range(5, 17))
