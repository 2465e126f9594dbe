"""How fast `automl.images.decode` is, against a full decode and resize with Pillow.

The pixel cache, which decodes on every core, is filled beside the same work on one thread.

python benchmarks/decode.py IMAGES --side 224 [--model models/NAME/1]

With an exported model it also tells how far its probabilities are apart, on all images as a phone's
camera would write them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import automl
from automl.cache import Cache
from automl.cli.options import print_table
from automl.data.pixels import open_pixels
from automl.errors import ImageError
from automl.hardware import cores
from automl.images import decode
from automl.manifest import Manifest
from automl.plugins import plugin_manager

MOST = 1.1
MOST_LARGE = 0.25
"""For photos of a phone's size, which are decoded at a reduced scale."""
MOST_APART = 0.01
LARGE = 8
"""Enlarged pictures; each takes a while to write."""


def main() -> None:
    """Measures and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", metavar="IMAGES", help="a folder of class folders")
    parser.add_argument("--side", type=int, default=224, help="in pixels (default: 224)")
    parser.add_argument("--limit", type=int, default=60, help="the most images (default: 60)")
    parser.add_argument("--runs", type=int, default=5, help="of each over all (default: 5)")
    parser.add_argument("--model", metavar="VERSION", type=Path, help="a version's folder")
    arguments = parser.parse_args()
    size = (arguments.side, arguments.side)
    dataset = automl.Dataset.from_folder(arguments.images)
    paths = readable(dataset.paths, arguments.limit)
    with tempfile.TemporaryDirectory() as folder:
        large = [enlarged(path, Path(folder)) for path in paths[:LARGE]]
        rows = [
            [name, str(len(files)), *measure(files, size, arguments.runs)]
            for name, files in {"as they are": paths, "as 12-megapixel JPEGs": large}.items()
        ]
    print(f"To {size[0]}x{size[1]} pixels on one thread, medians of {arguments.runs} runs.\n")
    print_table(["images", "", "Pillow", "automl", "ratio", "mean difference of a value"], rows)
    print(
        f"\nThe ratio is of paired runs and should not be above {MOST:.1f}, nor above "
        f"{MOST_LARGE:.2f} for 12-megapixel JPEGs to 224 pixels."
    )
    print_fill(dataset.with_ids(), arguments.side, arguments.runs)
    if arguments.model:
        print_probabilities(arguments.model, paths)


def measure(paths: list[Path], size: tuple[int, int], runs: int) -> list[str]:
    """Returns both times for an image, their ratio and how far the results are apart."""
    ours, theirs = [], []
    for _ in range(runs):  # in turn, so that other work on the machine meets both
        ours.append(seconds_each(paths, lambda path: decode(path, size)))
        theirs.append(seconds_each(paths, lambda path: pillow(path, size)))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    apart = statistics.mean(
        float(np.abs(decode(path, size).astype(int) - pillow(path, size)).mean()) for path in paths
    )
    return [
        f"{1000 * statistics.median(theirs):.1f} ms",
        f"{1000 * statistics.median(ours):.1f} ms",
        f"{ratio:.2f}",
        f"{apart:.2f} of 255",
    ]


def print_probabilities(version: Path, paths: list[Path]) -> None:
    """Prints how far a model's probabilities are apart for pictures decoded both ways."""
    manifest = Manifest.read(version)
    size = manifest.height, manifest.width
    loaded = plugin_manager().runtimes["openvino"].load(version)

    def scores(pixels: np.ndarray) -> np.ndarray:
        return np.asarray(
            loaded.predict("serving_default", {"images": pixels[None]})["probabilities"]
        )

    apart = []
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            large = enlarged(path, Path(folder))
            apart.append(np.abs(scores(decode(large, size)) - scores(pillow(large, size))))
    print(
        f"\nThe probabilities of {manifest.name} for {len(paths)} 12-megapixel JPEGs are apart by "
        f"at most {np.percentile(apart, 99):.4f} in 99 of 100; should not be above {MOST_APART:g}."
    )


def print_fill(dataset: automl.Dataset, side: int, runs: int) -> None:
    """Prints how much faster the pixel cache is filled than by one thread."""
    paths = [Path(path) for path in dataset.paths]
    ratios = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            one = seconds(partial(fill, paths, side, Path(folder) / "one"))
            cache = Cache(Path(folder) / "cache", time.time())
            ratios.append(one / seconds(partial(open_pixels, dataset, side, cache)))
    print(
        f"\nThe pixel cache of {len(paths):,} images is filled {statistics.median(ratios):.2f} "
        f"times as fast as by one thread ({cores()} cores)."
    )


def fill(paths: list[Path], side: int, target: Path) -> None:
    """Decodes and writes one image after the other, on one thread."""
    with target.open("wb") as file:
        for path in paths:
            try:
                file.write(decode(path, (side, side)).tobytes())
            except ImageError:
                file.write(bytes(side * side * 3))


def seconds(work: Callable[[], object]) -> float:
    """Returns the seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def enlarged(path: Path, folder: Path) -> Path:
    """Writes the picture again as large as a phone's camera would."""
    target = folder / f"{path.parent.name}-{path.stem}.jpg"
    with Image.open(path) as image:
        image.convert("RGB").resize((4000, 3000)).save(target, quality=90)
    return target


def readable(paths: list[str], limit: int) -> list[Path]:
    """Returns at most `limit` paths, spread over all, of images that can be read."""
    chosen = []
    for path in paths[:: max(1, len(paths) // limit)]:
        try:
            decode(path, (8, 8))
        except ImageError:
            continue
        chosen.append(Path(path))
    return chosen[:limit]


def seconds_each(paths: list[Path], work: Callable[[Path], object]) -> float:
    """Returns the seconds that `work` takes for one path, on average."""
    begun = time.perf_counter()
    for path in paths:
        work(path)
    return (time.perf_counter() - begun) / len(paths)


def pillow(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Decodes in full, then resizes with antialiasing: what most scripts do."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))


if __name__ == "__main__":
    main()
