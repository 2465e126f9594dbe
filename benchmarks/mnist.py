"""MNIST in one command: a linear classifier on pixels, or a search, with the memory it takes.

    python benchmarks/mnist.py mnist_train.zip mnist_test.zip
    python benchmarks/mnist.py mnist_train.zip mnist_test.zip --searched

The archives hold one folder a digit with 28x28 PNG files: 60,000 to learn from, 10,000 held out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from automl.cli.options import print_table
from automl.cli.wording import configuration
from automl.evaluation.metrics import Evaluation
from automl.tuning.run import EVALUATION

FLOOR, SEARCHED_FLOOR = 0.92, 0.99
SAMPLE_SECONDS = 0.25

PINS = ("backbone=pixels", "head=logistic", "resolution=28")


def main() -> None:
    """Runs the search and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path, metavar="TRAIN.zip")
    parser.add_argument("test", type=Path, metavar="TEST.zip")
    parser.add_argument("--budget", default="10m", help="for the command (default: 10m)")
    parser.add_argument("--searched", action="store_true", help="pin nothing")
    arguments = parser.parse_args()
    floor, pins = (SEARCHED_FLOOR, ()) if arguments.searched else (FLOOR, PINS)
    with tempfile.TemporaryDirectory() as place:
        train = unpacked(arguments.train, Path(place) / "train")
        test = unpacked(arguments.test, Path(place) / "test")
        command = [str(Path(sys.executable).with_name("automl")), "search", str(train)]
        command += ["--test", str(test), "--budget", arguments.budget, "--json", "--name", "mnist"]
        command += [word for pin in pins for word in ("--set", pin)]
        command += ["--workspace", str(Path(place) / "workspace")]
        begun = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            peaks = PeakMemory(process.pid)
            output, _ = process.communicate()
        seconds = time.perf_counter() - begun
        if process.returncode != 0:
            sys.exit(process.returncode)
        result = json.loads(output)
        show(result, seconds, peaks.stop(), floor)
        show_confusion(Path(result["report"]).with_name(EVALUATION))


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpacks `archive` and returns the folder in it that holds the class folders."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 else folder


class PeakMemory:
    """Samples the private memory (USS) of a command and of the worker that it starts."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._peaks = {"driver": 0, "worker": 0, "together": 0}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def stop(self) -> dict[str, int]:
        """Returns the highest samples, in bytes."""
        self._stopped.set()
        self._thread.join()
        return self._peaks

    def _sample(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            try:
                driver = self._root.memory_full_info().uss
                workers = [
                    child.memory_full_info().uss for child in self._root.children(recursive=True)
                ]
            except psutil.Error:
                continue  # a process that has just ended
            sample = {"driver": driver, "worker": max(workers, default=0)}
            sample["together"] = driver + sum(workers)
            self._peaks = {role: max(peak, sample[role]) for role, peak in self._peaks.items()}


def show(result: dict[str, Any], seconds: float, peaks: dict[str, int], floor: float) -> None:
    """Prints the figures beside what they are held against."""
    print_table(
        ["", "found", "wanted"],
        [
            ["accuracy", f"{result['accuracy']:.2%}", f"at least {floor:.2%}"],
            ["class-averaged accuracy", f"{result['balanced_accuracy']:.2%}", ""],
            ["held-out images", str(result["test_images"]), ""],
            ["best", configuration(result["best"]), ""],
            ["seconds, start to end", f"{seconds:.1f}", ""],
            *(
                [f"peak private memory, {role}", f"{peak / 2**20:.0f} MiB", ""]
                for role, peak in peaks.items()
            ),
        ],
    )


def show_confusion(path: Path) -> None:
    """Prints the confusion matrix of a saved evaluation: a row a true class."""
    evaluation = Evaluation.load(path)
    matrix = np.asarray(evaluation.confusion_matrix)
    print("\nConfusion matrix (rows: true class, columns: found):\n")
    width = max(len(str(matrix.max())), *(len(label) for label in evaluation.labels)) + 2
    print(" " * width + "".join(label.rjust(width) for label in evaluation.labels))
    for label, row in zip(evaluation.labels, matrix, strict=True):
        print(label.rjust(width) + "".join(str(count).rjust(width) for count in row))


if __name__ == "__main__":
    main()
