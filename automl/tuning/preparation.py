"""From images to rows that train, validate and are held out."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from automl.cache import Cache
from automl.data.dataset import Dataset
from automl.data.groups import GROUP, group_numbers
from automl.data.near import NearPair, near_duplicates, thumbnails
from automl.data.pixels import Pixels, open_pixels
from automl.data.splits import folds, require_images_per_class, train_test_rows
from automl.errors import DataError, ImageError
from automl.images import probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

HELD_OUT = 0.2
"""The share of images that is set aside where the user brings no test set."""

NEAR_LIMIT = 20_000
"""Up to so many images are compared with each other, which takes half a minute at most."""

NEAR_SIDE = 24
"""In pictures of fewer pixels there is too little to tell copies from others that look alike."""

PROBED = 200
"""Headers read to learn how large the pictures are."""


@dataclass(frozen=True)
class Prepared:
    """A run's images, divided.

    Attributes:
        images: Training and held-out images, unreadable ones among them.
        train: Row numbers of the training images.
        test: Row numbers of the held-out images.
        folds: (training, validation) positions in `train`.
        unreadable: Reasons by row number.
        notes: What else the user should know of the division, a sentence each.
        fingerprint: Of the readable training images.
        cache: Where decoded images are kept.
    """

    images: Dataset
    train: Rows
    test: Rows
    folds: list[tuple[Rows, Rows]]
    unreadable: dict[int, str]
    notes: list[str]
    fingerprint: str
    cache: Cache

    def pixels(
        self, side: int, progress: Callable[[int], None], rows: Rows | None = None
    ) -> Pixels:
        """Returns all images at `side`×`side`, or those of `rows`, decoded at the first call."""
        images = self.images if rows is None else self.images.select(rows)
        return open_pixels(images, side, self.cache, progress)

    def counts(self) -> dict[str, dict[str, int]]:
        """Returns images by part and class."""
        parts = {"train": self.train, "test": self.test}
        return {name: dict(self.images.select(rows).counts) for name, rows in parts.items()}


def by_split(dataset: Dataset, test: Dataset | None) -> tuple[Dataset, Dataset | None]:
    """Returns training and held-out images: `test`, else those whose split is test, if any.

    Images of the split test train nothing, even where `test` is given.
    """
    split = dataset.table.column("split").to_pylist()
    rows = np.array([part == "test" for part in split], bool)
    if not rows.any():
        return dataset, test
    held_out = dataset.select(np.flatnonzero(rows)) if test is None else test
    return dataset.select(np.flatnonzero(~rows)), held_out


def rejection_notes(rejected: Sequence[str], most: int = 10) -> list[str]:
    """Returns why rows of the source were left out, a sentence a row, and how many more."""
    notes = [f"Left out: {reason}" for reason in rejected[:most]]
    if len(rejected) > most:
        notes.append(f"Left out too, for such reasons: {len(rejected) - most:,} more rows.")
    return notes


def typical_side(dataset: Dataset) -> int:
    """Returns the median of the shorter sides, in pixels, of images spread over the dataset.

    Raises:
        DataError: If none of them can be read.
    """
    step = max(1, len(dataset) // PROBED)
    sides, reason = [], "there are none"
    for path in dataset.paths[::step]:
        try:
            info = probe(path)
            sides.append(min(info.width, info.height))
        except ImageError as error:
            reason = str(error)
    if not sides:
        raise DataError(f"expected readable images, found none that is ({reason.rstrip('.')}).")
    return int(statistics.median(sides))


def prepare(
    dataset: Dataset,
    test: Dataset | None,
    side: int,
    seed: int,
    cache: Cache,
    progress: Callable[[int, int], None],
) -> Prepared:
    """Decodes all images once, sets the unreadable ones aside and divides the rest.

    Held-out images of the user's own stay out of training: copies of them are left out.

    Args:
        dataset: Training images.
        test: Held-out images of the user's own, or `None` to set a part of `dataset` aside.
        side: A resolution in pixels that the search will need.
        seed: 0 or more.
        cache: Where decoded images are kept.
        progress: Called with images done and in all.

    Raises:
        DataError: If what can be read is too little to learn from.
    """
    require_images_per_class(dataset, 2)
    images = dataset
    if test is not None:
        images = dataset.followed_by(test.relabelled(dataset.labels))
    images = images.with_ids()
    pixels = open_pixels(images, side, cache, lambda done: progress(done, len(images)))
    readable = np.array([row not in pixels.unreadable for row in range(len(images))])
    rows = np.flatnonzero(readable[: len(dataset)])
    kept, notes = images.select(rows), list[str]()
    require_images_per_class(kept, 2)
    pairs = near_pairs(images, pixels)
    copies = group_numbers(images, pairs=pairs)
    groups = copies
    if GROUP in images.table.column_names:
        groups = group_numbers(images, [GROUP], pairs)
    if pairs:
        notes.append(
            f"On one side of every split, since they are nearly the same picture: {len(pairs):,} "
            f"pair{'s' if len(pairs) > 1 else ''} of images, such as "
            f"{images.paths[pairs[0].first]} and {images.paths[pairs[0].second]}."
        )
    if test is None:
        first, second = train_test_rows(kept, 1 - HELD_OUT, True, seed, groups[rows])
        train, held_out = rows[first], rows[second]
    else:
        held_out = len(dataset) + np.flatnonzero(readable[len(dataset) :])
        if len(held_out) == 0:
            raise DataError("expected a test set with readable images, found none; check --test.")
        train = _without_copies(images, rows, held_out, copies)
        notes += _notes(images, len(rows) - len(train), held_out)
    return Prepared(
        images,
        train,
        held_out,
        folds(images.select(train), seed, groups[train]),
        pixels.unreadable,
        notes,
        images.select(train).fingerprint,
        cache,
    )


def near_pairs(images: Dataset, pixels: Pixels) -> list[NearPair]:
    """Returns pairs of nearly the same pictures; none where they are too many or too small."""
    pictures = pixels.array
    side = min(pictures.shape[1], typical_side(images))
    if len(images) > NEAR_LIMIT or side < NEAR_SIDE:
        return []
    return near_duplicates(thumbnails(pictures), images.ids)


def _without_copies(images: Dataset, rows: Rows, held_out: Rows, copies: Rows) -> Rows:
    """Returns those of `rows` of which the held-out ones hold no copy or near copy.

    Raises:
        DataError: If too few are left.
    """
    train = rows[~np.isin(copies[rows], copies[held_out])]
    for label, count in images.select(train).counts.items():
        if count < 2:
            raise DataError(
                f"expected at least 2 images in each class that are not in the test set, found "
                f"{count} in {label!r}; bring other images with --test, or leave it out."
            )
    return train


def _notes(images: Dataset, copies: int, held_out: Rows) -> list[str]:
    notes = []
    if copies:
        notes.append(
            f"Left out of training, since the test set holds the same pictures: {copies:,} "
            f"image{'s' if copies > 1 else ''}."
        )
    missing = [label for label, count in images.select(held_out).counts.items() if not count]
    if missing:
        notes.append(
            "The test set has no image of some classes, about which its figures say nothing: "
            f"{', '.join(missing)}."
        )
    return notes
