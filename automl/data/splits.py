"""Which images train, which validate and which are held out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from automl.data.groups import first_rows, group_numbers
from automl.errors import DataError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from automl.data.dataset import Dataset

    Rows = NDArray[np.int64]

FOLDS = 5
SINGLE_FOLD_FROM = 5_000
"""From this many images on, one validation split says enough and folds only cost time."""
VALIDATION_LIMIT = 10_000
"""The most images in a single validation split."""


def train_test_rows(
    dataset: Dataset,
    train_size: float,
    stratify: bool,
    seed: int,
    groups: NDArray[np.int64] | None = None,
) -> tuple[Rows, Rows]:
    """Returns the row numbers of both parts, each sorted.

    Images of a group are on the same side. Stratified, both sides hold every class of which
    there are two groups.

    Args:
        dataset: Its images.
        train_size: The first part's share of the groups, between 0 and 1.
        stratify: Whether both parts keep the classes' shares.
        seed: 0 or more.
        groups: Numbers `[N]`; by default files of the same content are a group.

    Raises:
        UsageError: If `train_size` is not between 0 and 1.
        DataError: If stratifying and a class has fewer than two images, or a part would be empty.
    """
    from sklearn.model_selection import train_test_split

    if not 0 < train_size < 1:
        raise UsageError(f"expected a train_size between 0 and 1, found {train_size}; try 0.66.")
    if stratify:
        require_images_per_class(dataset, 2)
    pictures = _Pictures(group_numbers(dataset) if groups is None else groups)
    y = dataset.y[pictures.first]
    numbers = np.arange(len(y))
    alone = np.bincount(y)[y] < 2 if stratify and len(y) else np.zeros(len(y), bool)
    count, least = int(train_size * len(y)) - int(alone.sum()), 1
    if stratify:
        # scikit-learn wants both parts to have as many.
        least = int(np.count_nonzero(np.bincount(y[~alone])))
    splittable = int(np.sum(~alone))
    count = max(least, min(count, splittable - least))
    try:
        train, test = train_test_split(
            numbers[~alone],
            train_size=count,
            test_size=splittable - count,
            stratify=y[~alone] if stratify else None,
            random_state=seed,
        )
    except ValueError as error:
        raise DataError(
            f"expected enough different images to split {train_size:.0%} off, found {len(y)} in "
            f"{len(dataset.labels)} classes; add images."
        ) from error
    if stratify:
        train, test = _with_every_class(train, test, y)
        test, train = _with_every_class(test, train, y)
    return pictures.rows(np.concatenate([train, numbers[alone]])), pictures.rows(test)


def folds(dataset: Dataset, seed: int, groups: NDArray[np.int64]) -> list[tuple[Rows, Rows]]:
    """Returns (training rows, validation rows) pairs: those of the split val, else at random.

    What is in a group with images of the split val does not train.
    """
    validation = np.array([split == "val" for split in dataset.table.column("split").to_pylist()])
    if not validation.any() or validation.all():
        return validation_folds(dataset.y, seed, groups)
    train = ~validation & ~np.isin(groups, groups[validation])
    return [(np.flatnonzero(train), np.flatnonzero(validation))]


def validation_folds(
    y: Rows, seed: int, groups: Sequence[str] | Rows | None = None
) -> list[tuple[Rows, Rows]]:
    """Returns (training rows, validation rows) pairs that trials are judged on.

    Small sets get repeated stratified folds, since a dozen images decide nothing; large ones
    a single stratified split. Images of a group are on the same side.

    Args:
        y: Class numbers `[N]`.
        seed: 0 or more.
        groups: What each image belongs to, such as its id; each to itself if not given.
    """
    pictures = _Pictures(np.arange(len(y)) if groups is None else groups)
    return [
        (pictures.rows(train), pictures.rows(validation))
        for train, validation in _folds(y[pictures.first], seed)
    ]


def partition(y: Rows, seed: int, groups: Rows) -> list[tuple[Rows, Rows]]:
    """Returns (training rows, validation rows) pairs in which each image validates once.

    Args:
        y: Class numbers `[N]`, of which two images or more belong to one class.
        seed: 0 or more.
        groups: Numbers `[N]`; images of a group are on the same side.
    """
    from sklearn.model_selection import StratifiedKFold

    pictures = _Pictures(groups)
    first = y[pictures.first]
    count = max(2, min(FOLDS, int(np.bincount(first).max())))
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        found = list(splitter.split(first, first))
    return [(pictures.rows(train), pictures.rows(validation)) for train, validation in found]


def _folds(y: Rows, seed: int) -> list[tuple[Rows, Rows]]:
    from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold, train_test_split

    rows = np.arange(len(y))
    most = int(np.bincount(y).max())
    if len(y) >= SINGLE_FOLD_FROM and most >= 2:
        frequent = np.bincount(y)[y] >= 2
        least = len(np.unique(y[frequent]))  # scikit-learn wants an image of each class
        held = max(least, min(len(y) // FOLDS, VALIDATION_LIMIT))
        train, validation = train_test_split(
            rows[frequent], test_size=held, stratify=y[frequent], random_state=seed
        )
        return [(np.concatenate([train, rows[~frequent]]), validation)]
    repeats = 4 if len(y) <= 100 else 2 if len(y) <= 400 else 1
    if most < 2:
        plain = RepeatedKFold(n_splits=2, n_repeats=repeats, random_state=seed)
        return list(plain.split(rows))
    splitter = RepeatedStratifiedKFold(
        n_splits=min(FOLDS, most), n_repeats=repeats, random_state=seed
    )
    with warnings.catch_warnings():
        # A class with fewer images than folds is absent from some; the pooled score allows that.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return list(splitter.split(rows, y))


def _with_every_class(rows: Rows, others: Rows, y: Rows) -> tuple[Rows, Rows]:
    """Moves an image of each class that `rows` lacks there from `others`.

    Rounding can leave all images of a tiny class on one side, and nobody would learn how well
    it is recognised.
    """
    classes = int(y.max(initial=-1)) + 1
    lacking = np.bincount(y[rows], minlength=classes) == 0
    missing = np.flatnonzero(lacking & (np.bincount(y[others], minlength=classes) > 0))
    if not len(missing):
        return rows, others
    moved = np.array([others[y[others] == label].min() for label in missing], dtype=rows.dtype)
    return np.concatenate([rows, moved]), np.setdiff1d(others, moved)


class _Pictures:
    """The groups of images that stay together, mostly copies of one picture.

    Attributes:
        first: The row of each group's first image, ascending; its position is its number.
    """

    def __init__(self, groups: Sequence[str] | Rows) -> None:
        # Numbers in the order of first occurrence; by hashing, as a million are slow to sort.
        codes = pc.dictionary_encode(pa.array(groups)).indices
        self._number = codes.to_numpy(zero_copy_only=False).astype(np.int64)
        self.first = first_rows(self._number)

    def rows(self, numbers: Rows) -> Rows:
        """Returns the rows of all images of the pictures with these numbers, ascending."""
        taken = np.zeros(len(self.first), bool)
        taken[numbers] = True
        return np.flatnonzero(taken[self._number])


def require_images_per_class(dataset: Dataset, least: int) -> None:
    """Checks that there are two classes or more, each with `least` images or more.

    Raises:
        DataError: If not, naming the first class that is too small.
    """
    if len(dataset.labels) < 2:
        found = f"only {dataset.labels[0]!r}" if dataset.labels else "none"
        raise DataError(
            f"expected two classes or more, each a folder with images, found {found}; add a "
            f"folder for each class."
        )
    for label, count in dataset.counts.items():
        if count < least:
            raise DataError(
                f"expected at least {least} readable images in each class, found {count} in "
                f"{label!r}; add images of it or remove its folder."
            )
