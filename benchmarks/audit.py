"""What `automl dataset check` finds of faults that were planted, and in what time.

python benchmarks/audit.py IMAGES [--limit 10000]

Plants, in a copy that is thrown away: exact copies of 5 % of the images, near copies of 10 %
(encoded again at quality 50 to 85, resized to 75 to 150 %, or cropped by up to 5 % a side),
wrong labels in 5 %, and files that are cut off. It prints what is found beside what is wanted.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import automl
from automl.audit.check import Audit, check
from automl.audit.finding import Finding
from automl.cache import Cache
from automl.cli.options import print_table
from automl.cli.quiet import without_chatter
from automl.data.near import near_duplicates, thumbnails
from automl.data.pixels import open_pixels

EXACT, NEAR, FLIPPED, CUT = 0.05, 0.10, 0.05, 10


class Planted:
    """Images with faults in a folder of class folders.

    Attributes:
        exact: Pairs of original and copy.
        near: Pairs by kind.
        flipped: Files by their true label.
        cut: Files that are cut off.
    """

    def __init__(self, source: str, folder: Path, limit: int, seed: int) -> None:
        """Copies at most `limit` images of `source` to `folder` and plants the faults."""
        self._chance = chance = random.Random(seed)
        dataset = automl.Dataset.from_folder(source)
        rows = sorted(chance.sample(range(len(dataset)), min(limit, len(dataset))))
        labels = dataset.labels
        images = [dataset.images[row] for row in rows]
        chance.shuffle(images)
        self.flipped: dict[str, str] = {}
        files = []
        for number, image in enumerate(images):
            label = image.label
            if number < FLIPPED * len(images):
                label = chance.choice([other for other in labels if other != image.label])
            path = folder / label / f"{number}{image.path.suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(image.path, path)
            if label != image.label:
                self.flipped[str(path)] = image.label
            files.append(path)
        self.cut = [str(path) for path in files[-CUT:]]
        for path in files[-CUT:]:
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
        sound = files[len(self.flipped) : -CUT]
        chosen = chance.sample(sound, int((EXACT + NEAR) * len(images)))
        copies = int(EXACT * len(images))
        self.exact = {self._pair(path, self._copy(path)) for path in chosen[:copies]}
        self.near = {
            kind: {self._pair(path, self._variant(path, kind)) for path in chosen[copies + at :: 3]}
            for at, kind in enumerate(("encoded again", "resized", "cropped"))
        }

    def _pair(self, path: Path, other: Path) -> frozenset[str]:
        return frozenset((str(path), str(other)))

    def _copy(self, path: Path) -> Path:
        made = path.with_stem(f"{path.stem}-copy")
        shutil.copyfile(path, made)
        return made

    def _variant(self, path: Path, kind: str) -> Path:
        chance = self._chance
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        width, height = image.size
        made = path.with_name(f"{path.stem}-near.png")
        if kind == "encoded again":
            made = made.with_suffix(".jpg")
        elif kind == "resized":
            share = chance.uniform(0.75, 1.5)
            image = image.resize((round(width * share), round(height * share)))
        else:
            left, top, right, bottom = (chance.uniform(0, 0.05) for _ in range(4))
            box = (
                max(1, round(width * left)),  # at least a pixel: else it would be no crop
                round(height * top),
                width - round(width * right),
                height - round(height * bottom),
            )
            image = image.crop(box)
        image.save(made, quality=chance.choice((50, 70, 85)))
        return made


def main() -> None:
    """Plants, checks and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", metavar="IMAGES", help="a folder of class folders")
    parser.add_argument("--limit", type=int, default=10_000, help="the most images")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "images"
        planted = Planted(arguments.images, folder, arguments.limit, arguments.seed)
        dataset = automl.Dataset.from_folder(folder)
        cache = Cache(Path(temporary) / "cache", time.time())
        with without_chatter():
            first, _, _ = timed(dataset, cache)
            again, busy, audit = timed(dataset, cache)
        print_table(("", "found", "wanted"), [*rows(planted, audit)])
        print(
            f"\n{len(dataset):,} images: {first:.0f} s at first, {again:.0f} s with features "
            f"cached, {busy:.0f} s of a processor (wanted for 10,000: at most 60 s)."
        )
        print_quick(dataset, cache)


def timed(dataset: automl.Dataset, cache: Cache) -> tuple[float, float, Audit]:
    """Returns the seconds of a check, those that processors were busy, and what it found."""
    begun, busy = time.perf_counter(), time.process_time()
    audit = check(dataset, cache)
    return time.perf_counter() - begun, time.process_time() - busy, audit


def print_quick(dataset: automl.Dataset, cache: Cache) -> None:
    """Prints what comparing pictures adds to a search, whose pictures are decoded anyway."""
    part = dataset.select(np.linspace(0, len(dataset) - 1, min(len(dataset), 2000)).astype(int))
    pixels = open_pixels(part, 224, cache)
    begun, busy = time.perf_counter(), time.process_time()
    near_duplicates(thumbnails(pixels.array), part.ids)
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    print(
        f"Before a search of {len(part):,}: {seconds:.1f} s to compare pictures, {busy:.1f} s of a "
        f"processor."
    )


def rows(planted: Planted, audit: Audit) -> list[tuple[str, str, str]]:
    """Returns a row of the table for each kind of fault."""

    def of(kind: str) -> list[Finding]:
        return [finding for finding in audit.findings if finding.kind == kind]

    exact = {frozenset(finding.images) for finding in of("exact_duplicate")}
    near = {frozenset(finding.images) for finding in of("near_duplicate")}
    every = set().union(*planted.near.values())
    flags = of("label_error")
    right = [flag for flag in flags[:100] if planted.flipped.get(flag.images[0]) is not None]
    suggested = sum(flag.suggested == planted.flipped[flag.images[0]] for flag in right)
    unreadable = {finding.images[0] for finding in of("unreadable")}
    return [
        ("exact copies", share(len(exact & planted.exact), len(planted.exact)), "98 %"),
        *(
            (f"near copies, {kind}", share(len(near & pairs), len(pairs)), "95 %")
            for kind, pairs in planted.near.items()
        ),
        ("near copies, right of those found", share(len(near & every), len(near)), "95 %"),
        ("wrong labels, right of the first 100", share(len(right), len(flags[:100])), "80 %"),
        ("the true label suggested for those", share(suggested, len(right)), ""),
        ("files cut off", share(len(unreadable & set(planted.cut)), len(planted.cut)), "100 %"),
    ]


def share(part: int, whole: int) -> str:
    """Returns a share in words."""
    return f"{100 * part / max(1, whole):.1f} % ({part} of {whole})"


if __name__ == "__main__":
    main()
