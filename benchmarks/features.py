"""How fast frozen features are, from files to numbers, against loops that a user would write.

    python benchmarks/features.py IMAGES --count 2000

Each way decodes IMAGES to 224 px and runs EfficientNet-Lite0 on them, weights loaded and engine
prepared before the clock starts. The median of several rounds, one of each way in turn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np

import automl
from automl.cache import Cache
from automl.cli.options import print_table
from automl.components import Forward, Precision
from automl.data.pixels import open_pixels
from automl.images import decode
from automl.plugins import plugin_manager
from automl.training.features import compute_features
from automl.training.forward import forward

SIDE = 224
BATCH = 16
MOST = 1.25
LEAST: dict[Precision, float] = {"float32": 1.4, "bfloat16": 2.2}


def main() -> None:
    """Measures and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", help="a folder of class folders")
    parser.add_argument("--count", type=int, default=2000, help="of images (default: 2000)")
    parser.add_argument("--rounds", type=int, default=3, help="of measurements (default: 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = linked(arguments.images, arguments.count, Path(place) / "images")
        network = plugin_manager().backbones["efficientnet-lite"].build(0, SIDE, "pretrained")
        ways: dict[str, Callable[[], object]] = {"keras": partial(by_keras, network, folder)}
        for precision in LEAST:
            run = forward(network, 1e9, precision)
            ways[f"ours, {precision}"] = partial(ours, run, folder)
            ways[f"by hand, {precision}"] = partial(by_hand, run, folder)
        seconds = measured(ways, arguments.rounds)
    show(seconds, arguments.count)


def linked(images: str, count: int, folder: Path) -> Path:
    """Makes a folder of `count` links to images, repeated as often as it takes."""
    paths = automl.Dataset.from_folder(images).images
    for number in range(count):
        image = paths[number % len(paths)]
        place = folder / image.label / f"{number}{image.path.suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(image.path.resolve())
    return folder


def ours(run: Forward, folder: Path) -> None:
    """What a search does: one decoding into a file, then features from it, both kept."""
    with tempfile.TemporaryDirectory() as place:
        cache = Cache(Path(place), time.time())
        dataset = automl.Dataset.from_folder(folder)
        pixels = open_pixels(dataset, SIDE, cache).array
        rows, file = np.arange(len(dataset)), cache.features / "features.npy"
        compute_features(lambda: run, pixels, rows, cache, file, lambda done: None)


def by_hand(run: Forward, folder: Path) -> None:
    """A loop: pictures are decoded in a thread while the engine computes; nothing is kept."""
    paths = sorted(str(path) for path in folder.glob("*/*"))

    def batches() -> Iterator[np.ndarray]:
        def read(start: int) -> np.ndarray:
            chosen = paths[start : start + BATCH]
            return np.stack([decode(path, (SIDE, SIDE)) for path in chosen]).astype(np.float32)

        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(read, 0)
            for start in range(BATCH, len(paths) + BATCH, BATCH):
                batch = ahead.result()
                if start < len(paths):
                    ahead = pool.submit(read, start)
                yield batch

    np.concatenate(list(run(batches())))


def by_keras(network: keras.Model, folder: Path) -> None:
    """Keras' own way from a folder."""
    images = keras.utils.image_dataset_from_directory(
        folder, labels=None, image_size=(SIDE, SIDE), batch_size=32, shuffle=False, verbose=False
    )
    network.predict(images, verbose=0)


def measured(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Returns the median seconds of each way."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in seconds.items()}


def show(seconds: dict[str, float], count: int) -> None:
    """Prints the seconds and the ratios beside what is wanted."""
    rows = [(name, f"{value:.1f}", f"{count / value:.0f}") for name, value in seconds.items()]
    print_table(("WAY", "SECONDS", "IMAGES/S"), rows)
    for precision, least in LEAST.items():
        mine = seconds[f"ours, {precision}"]
        hand, other = mine / seconds[f"by hand, {precision}"], seconds["keras"] / mine
        print(f"{precision}: {hand:.2f} of the seconds by hand (at most {MOST})")
        print(f"{precision}: {other:.2f} times as fast as Keras (at least {least})")


if __name__ == "__main__":
    main()
