"""The data of a run on disk: its images, and where driver and worker meet."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.cache import Cache
from automl.data.dataset import Dataset
from automl.data.pixels import Pixels
from automl.training.data import TrainingData

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

FILE = "split.npz"
IMAGES = "images.parquet"
TEST_IMAGES = "test-images.parquet"


def save_images(folder: Path, images: Dataset, test: Dataset | None) -> None:
    """Writes which files the run in `folder` is about, so that it can be gone on with."""
    images.to_parquet(folder / IMAGES)
    if test is not None:
        test.to_parquet(folder / TEST_IMAGES)


def load_images(folder: Path) -> tuple[Dataset, Dataset | None]:
    """Returns what `save_images` wrote.

    Raises:
        DataError: If it is not there.
    """
    test = folder / TEST_IMAGES
    return (
        Dataset.from_parquet(folder / IMAGES),
        Dataset.from_parquet(test) if test.exists() else None,
    )


def save_split(
    folder: Path, rows: Rows, y: Rows, test_rows: Rows, folds: Sequence[tuple[Rows, Rows]]
) -> None:
    """Writes which rows train, validate and are held out.

    Args:
        folder: The run's folder.
        rows: The training images' row numbers in the pixel cache.
        y: Their class numbers.
        test_rows: The held-out images' row numbers.
        folds: (training, validation) positions in `rows`.
    """
    arrays: dict[str, Any] = {"rows": rows, "y": y, "test_rows": test_rows}
    for i, (train, validation) in enumerate(folds):
        arrays |= {f"train{i}": train, f"validation{i}": validation}
    np.savez(folder / FILE, **arrays)


def describe_training_data(
    folder: Path,
    pixels: Pixels,
    classes: int,
    cache: Cache,
    seed: int,
    share: float = 1.0,
    alone: bool = False,
) -> dict[str, Any]:
    """Returns what a worker needs to load the data, as JSON values.

    Args:
        folder: The run's folder.
        pixels: The decoded images.
        classes: The number of classes.
        cache: Where features are kept.
        seed: The run's seed.
        share: The share of the training images that is used.
        alone: Whether `pixels` are of those images alone.
    """
    return {
        "share": share,
        "alone": alone,
        "split": str(folder / FILE),
        "pixels": str(pixels.path),
        "pixels_key": pixels.key,
        "classes": classes,
        "cache": {"root": str(cache.root), "since": cache.since, "limit": cache.limit},
        "seed": seed,
    }


def load_training_data(description: Mapping[str, Any]) -> TrainingData:
    """Loads what `describe_training_data` describes."""
    cache = description["cache"]
    with np.load(description["split"]) as split:
        count = sum(1 for name in split if name.startswith("train"))
        folds = [(split[f"train{i}"], split[f"validation{i}"]) for i in range(count)]
        rows, y = split["rows"], split["y"]
    data = TrainingData(
        pixels=np.load(description["pixels"], mmap_mode="r"),
        pixels_key=description["pixels_key"],
        rows=rows,
        y=y,
        classes=int(description["classes"]),
        folds=folds,
        cache=Cache(Path(cache["root"]), float(cache["since"]), int(cache["limit"])),
        seed=int(description["seed"]),
    )
    if description["share"] < 1:
        data = data.sampled(description["share"])
    if description["alone"]:
        data = dataclasses.replace(data, rows=np.arange(len(data.rows)))
    return data
