"""The whole check of a dataset: files and copies first, then what needs a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from automl.audit.classes import class_findings
from automl.audit.copies import copy_findings
from automl.audit.files import file_findings
from automl.audit.finding import Finding, ordered
from automl.data.groups import group_numbers
from automl.data.near import NearPair, near_duplicates, thumbnails
from automl.data.pixels import Pixels, open_pixels
from automl.errors import DataError, WeightsUnavailableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from automl.cache import Cache
    from automl.data.dataset import Dataset
    from automl.training.composition import Composition

LEAST = 20
"""Fewer readable images than these are not worth a model that doubts them."""

QUICK_SIDE = 64
"""Pixels a side that files are decoded to where no network looks at them."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, images done, and images in all."""


@dataclass(frozen=True)
class Audit:
    """What a check found.

    Attributes:
        findings: Kind by kind, the most harmful kind first; in each the surest first.
        images: How many images were looked at.
        classes: How many classes there are.
        notes: What was left out and why, a sentence each.
    """

    findings: Sequence[Finding]
    images: int
    classes: int
    notes: Sequence[str] = field(default=())


def check(
    dataset: Dataset,
    cache: Cache,
    deep: bool = True,
    progress: Progress = lambda what, done, total: None,
) -> Audit:
    """Checks a dataset.

    Args:
        dataset: The images.
        cache: Keeps decoded pictures and features, for later checks and searches.
        deep: Whether a network is to look for wrong labels and outliers too.
        progress: Shows what happens.

    Raises:
        DataError: If there are no images.
    """
    if not len(dataset):
        raise DataError("expected images to check, found none; bring another dataset.")
    dataset, notes = dataset.with_ids(), list[str]()
    composition = None
    if deep:
        composition, notes = _network(dataset)
    side = composition.resolution if composition else QUICK_SIDE
    pixels = open_pixels(dataset, side, cache, lambda done: progress("read", done, len(dataset)))
    small = thumbnails(pixels.array)
    pairs = near_duplicates(small, dataset.ids)
    findings = [
        *file_findings(dataset, pixels.unreadable, small),
        *copy_findings(dataset, pairs),
        *class_findings(dataset),
    ]
    if composition is not None:
        findings += _doubts(dataset, pixels, pairs, composition, cache, progress, notes)
    return Audit(ordered(findings), len(dataset), len(dataset.labels), notes)


def _network(dataset: Dataset) -> tuple[Composition | None, list[str]]:
    """Returns the network that is to look at the images, and why there is none."""
    from automl.audit.network import cheapest_network
    from automl.tuning.preparation import typical_side

    try:
        return cheapest_network(typical_side(dataset)), []
    except WeightsUnavailableError as error:
        return None, [f"Labels and outliers were not checked: {error}"]


def _doubts(
    dataset: Dataset,
    pixels: Pixels,
    pairs: Sequence[NearPair],
    composition: Composition,
    cache: Cache,
    progress: Progress,
    notes: list[str],
) -> Iterator[Finding]:
    """Yields what a network finds: wrong labels and outliers."""
    from automl.audit.network import features_and_probabilities
    from automl.training.strangers import outliers

    readable = [row for row in range(len(dataset)) if row not in pixels.unreadable]
    rows = np.array(readable, np.int64)
    y = dataset.y[rows]
    if len(rows) < LEAST or len(np.unique(y)) < 2 or np.bincount(y).max() < 2:
        notes.append(
            f"Labels and outliers were not checked: that takes {LEAST} readable images and two "
            f"classes."
        )
        return
    features, probabilities = features_and_probabilities(
        composition,
        pixels,
        rows,
        y,
        group_numbers(dataset, pairs=pairs)[rows],
        len(dataset.labels),
        cache,
        lambda done, total: progress("look at", done, total),
    )
    yield from _label_errors(dataset, rows, y, probabilities)
    paths = dataset.paths
    for row, far in zip(*outliers(features), strict=True):
        place = int(rows[row])
        detail = f"{far:.0f} deviations farther from its neighbours than usual"
        yield Finding("outlier", (paths[place],), float(far), detail, rows=(place,))


def _label_errors(
    dataset: Dataset,
    rows: NDArray[np.int64],
    y: NDArray[np.int64],
    probabilities: NDArray[np.float64],
) -> Iterator[Finding]:
    from automl.training.doubted_labels import doubted_labels

    paths = dataset.paths
    for row, suggested in zip(*doubted_labels(probabilities, y), strict=True):
        place, given = int(rows[row]), probabilities[row, y[row]]
        label, other = dataset.labels[y[row]], dataset.labels[suggested]
        detail = (
            f"{100 * given:.1f} % for its label, {100 * probabilities[row, suggested]:.1f} % for "
            f"{other}"
        )
        yield Finding(
            "label_error", (paths[place],), 1 - float(given), detail, label, other, (place,)
        )
