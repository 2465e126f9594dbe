"""What a 3-minute search makes of a small folder of photos, over seeded stratified splits.

    python benchmarks/recycling.py IMAGES --splits 20 --budget 3m

Each split trains on 66 % of the images and is measured on the rest, which the search sees
only at its end. A reference is one result on one such split; a mean over many says more.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import automl

TRAIN_SIZE = 0.66
REFERENCE = 0.9545  # ResNet-18, fine-tuned for 15 epochs at 224 px, on one 66/34 split
FLOOR = 0.96
BALANCED_AIM = 0.91
MOST_SECONDS = 180.0

COLUMNS = "{:>5}  {:>8}  {:>8}  {:>14}  {:>7}  {}"


@dataclass(frozen=True)
class Outcome:
    """What one split gave: both accuracies on its held-out images, and the search's seconds."""

    accuracy: float
    balanced_accuracy: float
    seconds: float


def main() -> None:
    """Runs the searches and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", metavar="IMAGES", help="a folder of class folders")
    parser.add_argument("--splits", type=int, default=20, help="seeds 0, 1, ... (default: 20)")
    parser.add_argument("--budget", default="3m", help="for each search (default: 3m)")
    arguments = parser.parse_args()
    dataset = automl.Dataset.from_folder(arguments.images)
    print(COLUMNS.format("split", "held out", "accuracy", "class-averaged", "seconds", "winner"))
    with tempfile.TemporaryDirectory() as workspace:
        outcomes = [
            measure(dataset, seed, arguments.budget, workspace) for seed in range(arguments.splits)
        ]
    summarise(outcomes)


def measure(dataset: automl.Dataset, seed: int, budget: str, workspace: str) -> Outcome:
    """Searches on one split and prints its line."""
    train, test = dataset.split(train_size=TRAIN_SIZE, stratify=True, seed=seed)
    begun = time.perf_counter()
    run = automl.search(train, test=test, budget=budget, seed=seed, workspace=workspace)
    seconds = time.perf_counter() - begun
    metrics = run.details["metrics"]
    outcome = Outcome(metrics["accuracy"], metrics["balanced_accuracy"], seconds)
    print(
        COLUMNS.format(
            seed,
            f"{len(test)} of {len(dataset)}",
            f"{outcome.accuracy:.2%}",
            f"{outcome.balanced_accuracy:.2%}",
            f"{seconds:.1f}",
            winner(run.leaderboard[0]["hyperparameters"]),
        ),
        flush=True,
    )
    return outcome


def winner(values: Mapping[str, Any]) -> str:
    """Returns a configuration in few words."""
    words = f"{values['backbone']} {values['depth']} at {values['resolution']} px, {values['head']}"
    return words + (f", {values['unfreeze']:.0%} tuned" if values["unfreeze"] else "")


def summarise(outcomes: Sequence[Outcome]) -> None:
    """Prints means with deviations, beside what they are held against."""
    accuracy = [outcome.accuracy for outcome in outcomes]
    balanced = [outcome.balanced_accuracy for outcome in outcomes]
    slowest = max(outcome.seconds for outcome in outcomes)
    print()
    rows = [
        ("accuracy", spread(accuracy), f"at least {FLOOR:.2%} (reference {REFERENCE:.2%})"),
        ("class-averaged", spread(balanced), f"aim {BALANCED_AIM:.2%}"),
        ("slowest search", f"{slowest:.1f} s", f"at most {MOST_SECONDS:.0f} s"),
    ]
    for name, found, wanted in rows:
        print(f"{name:<15}  {found:<18}  {wanted}")


def spread(values: Sequence[float]) -> str:
    """Returns mean and standard deviation in percent."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.2%} ± {100 * deviation:.2f}"


if __name__ == "__main__":
    main()
