"""What usually comes of a trial before a run has shown it, and ways of training that do well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl_plugins.strategies.configurations import Values

RELIEF = {
    "network": 0.2,
    "tune": 0.5,
    "scratch": 0.5,
    "share": 0.1,
    "head": 0.03,
    "resolution": 0.05,
    "fusion": 0.2,
    "scales": 0.09,
    "views": 0.07,
    "mirror": 0.04,
}
"""The share of the best error so far that a kind of trial is expected to take away, until this
run has shown its own. Kinds: another frozen network, fine-tuning of one, a network trained from
scratch, another head, another resolution; of the error on a sample, more of the images; and of
the error of the frozen network that it joins, another network, a second size, views, the mirrored
picture."""

RECIPES: Sequence[tuple[float, Values]] = (
    (0.6, {"unfreeze": 0.25, "augmentation": "none", "lr": 1e-3, "epochs": 2}),
    (0.7, {"unfreeze": 0.25, "augmentation": "none", "lr": 1e-3, "epochs": 3}),
    (0.8, {"unfreeze": 0.25, "augmentation": "none", "lr": 1e-3, "epochs": 5}),
    (0.9, {"unfreeze": 0.25, "augmentation": "flip-crop", "lr": 1e-3, "epochs": 8}),
    (0.9, {"unfreeze": 0.5, "augmentation": "none", "lr": 5e-4, "epochs": 8}),
    (1.0, {"unfreeze": 0.5, "augmentation": "flip-crop", "lr": 5e-4, "epochs": 8}),
    (1.1, {"unfreeze": 0.5, "augmentation": "flip-crop", "lr": 5e-4, "epochs": 15}),
    (1.0, {"unfreeze": 0.25, "augmentation": "imgaug", "lr": 1e-3, "epochs": 15}),
    (1.2, {"unfreeze": 1.0, "augmentation": "flip-crop", "lr": 2e-4, "epochs": 15}),
    (1.1, {"unfreeze": 0.5, "augmentation": "flip-crop", "lr": 2e-4, "epochs": 30}),
)
"""Fine-tuning that usually does well, with AdamW on a cosine schedule, and how much of a
fine-tuning's relief each is expected to give."""

SCRATCH_RECIPES: Sequence[tuple[float, Values]] = (
    (0.7, {"epochs": 3}),
    (0.9, {"epochs": 8}),
    (1.0, {"epochs": 15}),
    (1.0, {"epochs": 15, "augmentation": "flip-crop"}),
    (1.1, {"epochs": 30}),
    (1.1, {"epochs": 30, "augmentation": "flip-crop"}),
)
"""The same for networks that are trained from random weights."""

LEAST_SEEN = 20_000
"""Images that a network trained from scratch has to see, an epoch of each, before it is one."""

LEAST_SEEN_TUNED = 3_000
"""The same for fine-tuning: a dozen steps spoil a head that was fitted on frozen features."""

EXTRAS: Mapping[str, Any] = {"fusion": "none", "scales": 1, "views": 1, "mirror": "no"}
"""What a frozen network may be joined by, each with the value that adds nothing."""
