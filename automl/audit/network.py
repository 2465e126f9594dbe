"""The cheapest network's frozen features, and what a head makes of images it was not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from automl.data.splits import partition
from automl.plugins import plugin_manager
from automl.training.composition import Composition, Network
from automl.training.data import TrainingData
from automl.training.doubted_labels import doubted_labels
from automl.training.frozen import FrozenNetworks
from automl.training.heads import PROBE_HEAD, fit_head
from automl.training.limits import Limits
from automl.training.principal import narrowed
from automl.tuning.candidates import find_candidates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from automl.cache import Cache
    from automl.data.pixels import Pixels

    Rows = NDArray[np.int64]

STRENGTH = 0.03
"""The head's regularisation; among hand signs with wrong labels, 0.03 to 0.3 did alike."""

VALUES = 1_500_000
"""Feature values that heads are fitted on; of many images, fewer principal components."""

LEAST_DIMENSIONS = 128


def cheapest_network(side: int) -> Composition:
    """Returns the cheapest network whose features need no training, for pictures of `side` pixels.

    Raises:
        WeightsUnavailableError: If none can be had.
    """
    manager = plugin_manager()
    candidates, _ = find_candidates(manager, {}, side)
    choices = []
    for candidate in candidates:
        backbone = candidate.backbone
        if not backbone.pretrained and backbone.trainable:
            continue  # its features are random
        for depth in candidate.depths:
            resolution = backbone.resolutions_for(depth)[0]
            weights = "pretrained" if backbone.pretrained else None
            network = Network(backbone.name, depth, weights)
            choices.append((backbone.cost(depth, resolution), Composition((network,), resolution)))
    return min(choices, key=lambda choice: choice[0])[1]


def features_and_probabilities(
    composition: Composition,
    pixels: Pixels,
    rows: Rows,
    y: Rows,
    groups: Rows,
    classes: int,
    cache: Cache,
    progress: Callable[[int, int], None],
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Returns features `[N, F]` and out-of-fold probabilities `[N, C]` of the images `rows`.

    Heads are fitted twice, the second time without the images whose labels the first ones doubt:
    on hand signs that raised the share of right doubts among the first 100 from 75 to 82 %.

    Args:
        composition: Which network.
        pixels: The decoded images.
        rows: Row numbers `[N]` in them.
        y: Class numbers `[N]`.
        groups: Numbers `[N]`; images of a group are never on both sides of a fold.
        classes: The number of classes C.
        cache: Keeps the features, under the name that a search would use.
        progress: Called with images done and in all.
    """
    folds = partition(y, 0, groups)
    data = TrainingData(pixels.array, pixels.key, rows, y, classes, folds, cache, 0)

    def count(total: int) -> Callable[[int], None]:
        return lambda done: progress(done, total)

    features = FrozenNetworks(composition, data, count).features().values
    narrow = narrowed(features, max(LEAST_DIMENSIONS, VALUES // len(rows)))
    # The head standardises what is left of the features, and so shrinks it.
    strength = STRENGTH * features.shape[1] / narrow.shape[1]
    everything = np.ones(len(rows), bool)
    first = _out_of_fold(narrow, y, folds, classes, strength, everything)
    trusted = everything.copy()
    trusted[doubted_labels(first, y)[0]] = False
    return features, _out_of_fold(narrow, y, folds, classes, strength, trusted)


def _out_of_fold(
    features: NDArray[np.float32],
    y: Rows,
    folds: Sequence[tuple[Rows, Rows]],
    classes: int,
    strength: float,
    trusted: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Returns probabilities `[N, C]` by heads fitted on the trusted images of the other folds."""
    head = plugin_manager().heads[PROBE_HEAD]
    logits = np.zeros((len(y), classes), np.float32)
    for train, validation in folds:
        rows = train[trusted[train]]
        (fitted,) = fit_head(head, features[rows], y[rows], classes, [{"C": strength}], 0, Limits())
        logits[validation] = fitted.logits(features[validation])
    # Not calibrated: a temperature that suits wrong labels blurs the ranking.
    exponents = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = exponents / exponents.sum(axis=1, keepdims=True)
    return probabilities
