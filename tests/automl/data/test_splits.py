"""Who trains, who validates, who is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.components import ImageRecord
from automl.data import splits
from automl.data.dataset import Dataset
from automl.data.splits import require_images_per_class, train_test_rows, validation_folds
from automl.errors import DataError, UsageError

COUNTS = st.lists(st.integers(2, 40), min_size=2, max_size=6)
SEEDS = st.integers(0, 2**31 - 1)


def dataset(counts):
    return Dataset.from_records(
        ImageRecord(Path(f"{label}/{number}.png"), f"class {label}")
        for label, count in enumerate(counts)
        for number in range(count)
    )


@settings(deadline=None, max_examples=60)
@given(COUNTS, st.floats(0.05, 0.95), SEEDS)
def test_parts_are_disjoint_whole_and_stratified(counts, share, seed):
    made = dataset(counts)
    train, test = train_test_rows(made, share, True, seed)
    assert sorted([*train, *test]) == list(range(sum(counts)))
    assert train.tolist() == sorted(train)
    again = train_test_rows(made, share, True, seed)
    assert again[0].tolist() == train.tolist()
    real = len(train) / len(made)  # a part takes one image of each class at least
    tiny = sum(min(share, 1 - share) * count < 1 for count in counts)
    y = made.y
    for label, count in enumerate(counts):
        assert 1 <= np.sum(y[train] == label) < count
        assert abs(np.sum(y[train] == label) - real * count) <= 1 + tiny
    expected = max(len(counts), min(share * len(made), len(made) - len(counts)))
    assert abs(len(train) - expected) <= 1 + tiny


@pytest.mark.parametrize("counts", [[2, 2], [2] * 6, [2, 100], [3, 2, 2]])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.8, 0.99])
def test_the_smallest_sets_can_be_split(counts, share):
    train, test = train_test_rows(dataset(counts), share, True, 0)
    assert len(train) > 0
    assert len(test) > 0


@pytest.mark.parametrize("share", [0, 1, -0.5, 1.5, float("nan")])
def test_a_share_is_between_0_and_1(share):
    with pytest.raises(UsageError, match="train_size between 0 and 1"):
        train_test_rows(dataset([5, 5]), share, True, 0)


@pytest.mark.parametrize("stratify", [True, False])
@pytest.mark.parametrize("counts", [[], [1]])
def test_what_is_too_little_to_split(counts, stratify):
    with pytest.raises(DataError, match="expected "):
        train_test_rows(dataset(counts), 0.5, stratify, 0)


@settings(deadline=None, max_examples=60)
@given(COUNTS, SEEDS)
def test_folds_are_disjoint_and_each_repetition_is_the_whole(counts, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng(seed).shuffle(y)
    folds = validation_folds(y, seed)
    number = min(5, max(counts))
    assert len(folds) % number == 0
    for start in range(0, len(folds), number):
        repetition = folds[start : start + number]
        validated = np.concatenate([validation for _, validation in repetition])
        assert sorted(validated.tolist()) == list(range(len(y)))
        for train, validation in repetition:
            assert not set(train) & set(validation)
            assert len(train) + len(validation) == len(y)
            for label, count in enumerate(counts):
                assert abs(np.sum(y[validation] == label) - count / number) < 1


@pytest.mark.parametrize(("images", "repetitions"), [(100, 4), (102, 2), (400, 2), (402, 1)])
def test_small_sets_are_validated_repeatedly(images, repetitions):
    y = np.arange(images) % 2
    assert len(validation_folds(y, 0)) == 5 * repetitions


def test_folds_repeat_by_seed():
    y = np.arange(60) % 3
    first, again, other = (
        [validation.tolist() for _, validation in validation_folds(y, seed)] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_large_sets_are_validated_once():
    y = np.append(np.arange(splits.SINGLE_FOLD_FROM) % 4, 4)  # and a class with one image
    ((train, validation),) = validation_folds(y, 0)
    assert len(validation) == len(y) // splits.FOLDS
    assert sorted([*train, *validation]) == list(range(len(y)))
    assert len(y) - 1 in train
    assert np.ptp(np.bincount(y[validation])[:4]) <= 1


def test_the_validation_of_very_large_sets_is_limited():
    ((_, validation),) = validation_folds(np.arange(100_000) % 10, 0)
    assert len(validation) == splits.VALIDATION_LIMIT


@pytest.mark.parametrize(
    ("counts", "found"),
    [([], "found none"), ([5], "found only 'class 0'"), ([5, 1, 5], "found 1 in 'class 1'")],
)
def test_images_that_are_required(counts, found):
    with pytest.raises(DataError, match=found):
        require_images_per_class(dataset(counts), 2)
    require_images_per_class(dataset([2, 2]), 2)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 30), min_size=12, max_size=60), SEEDS)
def test_copies_of_a_picture_are_on_one_side(contents, seed):
    ids = [f"{content:04}" for content in contents]
    y = np.array([content % 2 for content in contents])
    if min(len({c for c in contents if c % 2 == label}) for label in (0, 1)) < 2:
        return
    for train, validation in validation_folds(y, seed, ids):
        assert sorted([*train, *validation]) == list(range(len(y)))
        assert not {ids[row] for row in train} & {ids[row] for row in validation}


def test_copied_files_are_on_one_side_of_a_split(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(12):
            (tmp_path / label / f"{number}").write_bytes(f"{label}{number % 5}".encode())
    whole = Dataset.from_folder(tmp_path)
    for seed in range(10):
        train, test = whole.split(0.7, seed=seed)
        assert len(train) + len(test) == 24
        assert not set(train.ids) & set(test.ids)
        assert all(part.counts[label] for part in (train, test) for label in "ab")


@pytest.mark.parametrize("counts", [[1, 1, 1], [2, 1, 1], [3] * 2000, [1] * 6000])
def test_folds_of_many_tiny_classes(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    for train, validation in validation_folds(y, 0):
        assert len(train) > 0
        assert len(validation) > 0
        assert sorted([*train, *validation]) == list(range(len(y)))
