"""Fine-tuning from a cut against fine-tuning of the whole network: images a second, accuracy.

    python benchmarks/fine_tuning.py IMAGES --epochs 3

The same trial twice: EfficientNet-Lite0, the same schedule and augmentation. From a cut, the
upper half of the blocks is trained on kept activations; in full, all blocks are trained on the
pictures. Validated on one fold that both leave out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np

import automl
from automl.cache import Cache
from automl.cli.options import print_table
from automl.data.pixels import open_pixels
from automl.data.splits import validation_folds
from automl.training.data import TrainingData
from automl.training.judging import Reports
from automl.training.trial import Trial

Rows = np.ndarray[Any, np.dtype[np.int64]]

LEAST_FASTER = 4.0
MOST_LOST = 0.01


@dataclass(frozen=True)
class Outcome:
    """Images a second while training, seconds in all, and validation accuracy."""

    pace: float
    seconds: float
    accuracy: float


def main() -> None:
    """Trains twice and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", help="a folder of class folders")
    parser.add_argument("--epochs", type=int, default=3, help="of each training (default: 3)")
    parser.add_argument("--side", type=int, default=224, help="in pixels (default: 224)")
    parser.add_argument("--unfreeze", type=float, default=0.25, help="of the blocks, from a cut")
    arguments = parser.parse_args()
    dataset = automl.Dataset.from_folder(arguments.images)
    with tempfile.TemporaryDirectory() as place:
        folds = validation_folds(dataset.y, 0, dataset.ids)[:1]
        data = training_data(dataset, np.arange(len(dataset)), folds, arguments.side, place)
        ways = {
            "from a cut": {"unfreeze": arguments.unfreeze, "lr": 1e-3},
            "in full": {"unfreeze": 1.0, "lr": 2e-4},
        }
        found = {
            name: measure(data, {**params(arguments.side, arguments.epochs), **changes})
            for name, changes in ways.items()
        }
    show(found)


def training_data(
    dataset: automl.Dataset, rows: Rows, folds: list[tuple[Rows, Rows]], side: int, place: str
) -> TrainingData:
    """Decodes all images, with a cache in the folder `place`, and takes the rows to train on."""
    cache = Cache(Path(place), time.time())
    pixels = open_pixels(dataset, side, cache)
    return TrainingData(
        pixels=pixels.array,
        pixels_key=pixels.key,
        rows=rows,
        y=dataset.y[rows],
        classes=len(dataset.labels),
        folds=folds,
        cache=cache,
        seed=0,
    )


def params(side: int, epochs: int) -> dict[str, Any]:
    """Returns what both trainings share."""
    return {
        "backbone": "efficientnet-lite",
        "depth": 0,
        "resolution": side,
        "weights": "pretrained",
        "head": "linear",
        "augmentation": "flip-crop",
        "flip_crop_margin": 0.1,
        "optimizer": "adamw",
        "schedule": "cosine",
        "epochs": epochs,
        "batch_size": 32,
    }


def measure(data: TrainingData, values: Mapping[str, Any]) -> Outcome:
    """Judges one trial; its first epoch also compiles and is left out of the pace."""
    ends: list[float] = []
    begun = time.perf_counter()
    reports = Reports(on_epoch=lambda epoch, logs: ends.append(time.perf_counter()))
    result = Trial(values, data, reports=reports).judge()
    images = len(data.folds[0][0])
    pace = images * (len(ends) - 1) / (ends[-1] - ends[0])
    return Outcome(pace, time.perf_counter() - begun, result.accuracy)


def show(found: Mapping[str, Outcome]) -> None:
    """Prints both and what is wanted."""
    rows = [
        (name, f"{each.pace:.0f}", f"{each.seconds:.0f}", f"{each.accuracy:.2%}")
        for name, each in found.items()
    ]
    print_table(("WAY", "IMAGES/S", "SECONDS", "ACCURACY"), rows)
    cut, full = found["from a cut"], found["in full"]
    print(f"{cut.pace / full.pace:.1f} times the images a second (at least {LEAST_FASTER})")
    print(f"{100 * (full.accuracy - cut.accuracy):.1f} points lost (at most {100 * MOST_LOST:.0f})")


if __name__ == "__main__":
    main()
