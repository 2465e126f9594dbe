"""How seconds and memory grow with the number of images: a tenth of an archive against all of it.

    python benchmarks/scale.py mnist_train.zip

The archive holds a folder a class; a fifth is held out. Each size is searched by the same command
in a workspace of its own: bare pixels under a logistic regression, a whole path in one trial.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from mnist import PINS, PeakMemory, unpacked

from automl.cli.options import print_table

PARTS = (10, 1)
"""One image in so many is taken."""

MOST_GROWTH = 11.0
MOST_MEMORY = 3 * 2**30


def main() -> None:
    """Searches at both sizes and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, metavar="IMAGES.zip")
    parser.add_argument(
        "--set",
        dest="pins",
        action="append",
        metavar="DIMENSION=VALUE",
        help=f"pinned instead of {' '.join(PINS)}",
    )
    arguments = parser.parse_args()
    rows, seconds = [], []
    with tempfile.TemporaryDirectory() as place:
        images = unpacked(arguments.archive, Path(place) / "all")
        for part in PARTS:
            folder = Path(place) / f"one-in-{part}"
            count = link(images, folder, part)
            taken, peak = search(folder, Path(place), arguments.pins or PINS)
            seconds.append(taken)
            memory = f"{peak / 2**20:,.0f} MiB of at most {MOST_MEMORY / 2**20:,.0f}"
            rows.append((f"{count:,}", f"{taken:.1f}", memory))
    print_table(("IMAGES", "SECONDS", "DRIVER AND WORKER, PRIVATE"), rows)
    growth, times = seconds[1] / seconds[0], PARTS[0] / PARTS[1]
    print(
        f"{growth:.1f} times the seconds for {times:.0f} times the images (at most {MOST_GROWTH})"
    )


def link(images: Path, folder: Path, part: int) -> int:
    """Links every `part`th image of each class into `folder`; returns how many."""
    count = 0
    for label in sorted(path for path in images.iterdir() if path.is_dir()):
        (folder / label.name).mkdir(parents=True)
        for path in sorted(label.iterdir())[::part]:
            (folder / label.name / path.name).symlink_to(path)
            count += 1
    return count


def search(folder: Path, place: Path, pins: list[str] | tuple[str, ...]) -> tuple[float, int]:
    """Returns a search's seconds, and the most private bytes that its processes held together."""
    command = [str(Path(sys.executable).with_name("automl")), "search", str(folder)]
    command += ["--trials", "1", "--json", "--workspace", str(place / f"{folder.name}-workspace")]
    command += [word for pin in pins for word in ("--set", pin)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peaks = PeakMemory(process.pid)
        output, _ = process.communicate()
    together = peaks.stop()["together"]
    if process.returncode != 0:
        sys.exit(process.returncode)
    return json.loads(output)["seconds"], together


if __name__ == "__main__":
    main()
