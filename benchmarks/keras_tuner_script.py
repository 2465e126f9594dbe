"""A minute of `automl search` against ten of the script that one would write with Keras Tuner.

    python benchmarks/keras_tuner_script.py IMAGES --splits 5 --ours 60s --theirs 10m

Both get the same splits, near duplicates on one side, and the same network with the same weights
(EfficientNet-Lite0). The script is what Keras' guides lead to: `image_dataset_from_directory` at
224 pixels, a pooled backbone under dropout and a dense layer, and `Hyperband` over the learning
rate, the dropout and how many blocks are unfrozen, judged by the accuracy on a fifth that it sets
aside. When its time is over, its best model so far is measured; measuring is not counted.

With `--kept FILE` each result is written there and not computed again: a comparison of hours can be
done in parts, and another budget of ours be held against the same results of theirs.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image, ImageOps
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold

import automl
from automl.tuning.settings import parse_duration

Rows = np.ndarray[Any, np.dtype[np.int64]]
Peer = Callable[[automl.Dataset, Rows, Rows], tuple[float, float]]
"""Returns both accuracies on the test rows of what it made of the training rows."""

SIDE, BATCH, MAX_EPOCHS = 224, 32, 10
ALIKE = 4
"""Bits of 64 in which the perceptual hashes of near duplicates differ at most."""

STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 10: 2.26}
"""Student's t at 97.5 % by the number of splits."""


def main() -> None:
    """Runs both on each split and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", metavar="IMAGES", help="a folder of class folders")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--ours", default="60s", help="for a search (default: 60s)")
    parser.add_argument("--theirs", default="10m", help="for the script (default: 10m)")
    parser.add_argument("--kept", type=Path, help="a file of results that are not computed again")
    parser.add_argument("--script", nargs=2, metavar=("FOLDER", "SECONDS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.script:
        run_script(Path(arguments.script[0]), float(arguments.script[1]))
        return
    seconds = parse_duration(arguments.theirs)
    fixed = {"backbone": "efficientnet-lite", "depth": 0}

    def theirs(dataset: automl.Dataset, train: Rows, test: Rows) -> tuple[float, float]:
        return script(dataset, train, test, seconds)

    peer = f"Hyperband for {arguments.theirs}"
    compare(arguments, theirs, fixed, Kept(arguments.kept), peer)


class Kept:
    """Results by what they are of, in a file of JSON lines if there is one."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._known = path, dict[str, tuple[float, float]]()
        for line in path.read_text().splitlines() if path and path.exists() else []:
            entry = json.loads(line)
            self._known[entry["of"]] = tuple(entry["found"])

    def result(self, of: str, compute: Callable[[], tuple[float, float]]) -> tuple[float, float]:
        """Returns what is known of something, or computes and keeps it."""
        if of not in self._known:
            self._known[of] = compute()
            if self._path:
                with self._path.open("a") as file:
                    file.write(json.dumps({"of": of, "found": self._known[of]}) + "\n")
        return self._known[of]


def compare(
    arguments: argparse.Namespace, theirs: Peer, fixed: Mapping[str, Any], kept: Kept, name: str
) -> None:
    """Runs a search and a peer on each of some splits and prints both accuracies of both."""
    images, count, budget = arguments.images, arguments.splits, arguments.ours
    dataset = automl.Dataset.from_folder(images)
    groups = alike(dataset.paths)
    folds = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=0)
    splits = list(folds.split(dataset.paths, dataset.y, groups))[:count]
    print("split  held out      ours     theirs   ours balanced  theirs balanced", flush=True)
    differences = []
    for number, (train, test) in enumerate(splits):
        at = f"{Path(images).name} split {number}"
        parts = dataset.select(train), dataset.select(test)
        ours = kept.result(
            f"{at}: search for {budget} of {dict(fixed)}",
            functools.partial(search, *parts, budget, fixed),
        )
        peer = kept.result(f"{at}: {name}", functools.partial(theirs, dataset, train, test))
        differences.append(ours[0] - peer[0])
        print(
            f"{number:>5}  {len(test):>8}  {ours[0]:>8.2%}  {peer[0]:>8.2%}  {ours[1]:>13.2%}  "
            f"{peer[1]:>15.2%}",
            flush=True,
        )
    show(differences)


def alike(paths: Sequence[str]) -> list[int]:
    """Returns a group number for each picture, the same for near duplicates."""
    hashes = np.array([difference_hash(path) for path in paths])
    group = np.arange(len(paths))
    for row in range(len(paths)):
        near = (hashes[row] != hashes).sum(axis=1) <= ALIKE
        group[np.isin(group, group[near])] = group[near].min()
    return [int(number) for number in group]


def difference_hash(path: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Returns whether each of 8x8 places is brighter than the one to its right."""
    with Image.open(path) as image:
        grey = ImageOps.exif_transpose(image).convert("L").resize((9, 8), Image.Resampling.BOX)
    values = np.asarray(grey, np.int16)
    return (values[:, :-1] > values[:, 1:]).ravel()


def search(
    train: automl.Dataset, test: automl.Dataset, budget: str, fixed: Mapping[str, Any]
) -> tuple[float, float]:
    """Returns both accuracies of a search's model."""
    with tempfile.TemporaryDirectory() as workspace:
        run = automl.search(train, test=test, budget=budget, fixed=fixed, workspace=workspace)
        metrics = run.details["metrics"]
        return metrics["accuracy"], metrics["balanced_accuracy"]


def script(dataset: automl.Dataset, train: Rows, test: Rows, seconds: float) -> tuple[float, float]:
    """Returns both accuracies of the script's model; it runs as a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        for part, rows in (("train", train), ("test", test)):
            for row in rows:
                path = Path(dataset.paths[row]).resolve()
                link = Path(place) / part / f"{dataset.y[row]:03}" / f"{row}{path.suffix.lower()}"
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path)
        command = [sys.executable, __file__, "-", "--script", place, str(seconds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        plain, balanced = done.stdout.split()[-2:]
        return float(plain), float(balanced)


def run_script(folder: Path, seconds: float) -> None:
    """What one would write, with a clock."""
    begun = time.monotonic()
    import keras
    import keras_tuner

    options = {"image_size": (SIDE, SIDE), "batch_size": BATCH, "verbose": False}
    fitted, judged = keras.utils.image_dataset_from_directory(
        folder / "train", validation_split=0.2, subset="both", seed=0, **options
    )
    held_out = keras.utils.image_dataset_from_directory(folder / "test", shuffle=False, **options)
    classes = len(fitted.class_names)

    def build(hp: Any) -> Any:
        from automl.plugins import plugin_manager

        backbone = plugin_manager().backbones["efficientnet-lite"]
        network = backbone.build(0, SIDE, "pretrained")
        blocks = backbone.blocks(network)
        unfrozen = hp.Choice("unfreeze", [0.0, 0.25, 0.5, 1.0])
        names = {
            name
            for block in blocks[len(blocks) - round(unfrozen * len(blocks)) :]
            for name in block
        }
        for layer in network.layers:
            layer.trainable = layer.name in names
        inputs = keras.Input((SIDE, SIDE, 3))
        outputs = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5))(
            network(inputs, training=False)
        )
        model = keras.Model(inputs, keras.layers.Dense(classes)(outputs))
        model.compile(
            keras.optimizers.Adam(hp.Float("lr", 1e-5, 1e-2, sampling="log")),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        return model

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if time.monotonic() - begun > seconds:
                raise KeyboardInterrupt

    best: list[Any] = [-1.0, None]

    class Best(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if logs["val_accuracy"] > best[0]:
                best[:] = [logs["val_accuracy"], (self.model, self.model.get_weights())]

    tuner = keras_tuner.Hyperband(
        build,
        objective="val_accuracy",
        max_epochs=MAX_EPOCHS,
        factor=3,
        hyperband_iterations=100,
        directory=folder / "tuner",
        seed=0,
    )
    tuner.oracle.verbose = 0
    with contextlib.suppress(KeyboardInterrupt):
        tuner.search(fitted, validation_data=judged, callbacks=[Clock(), Best()], verbose=0)
    if best[1] is None:
        raise SystemExit("expected an epoch to end in that time; allow more.")
    model, weights = best[1]
    model.set_weights(weights)
    found = model.predict(held_out, verbose=0).argmax(axis=1)
    y = np.concatenate([labels for _, labels in held_out])
    print(accuracy_score(y, found), balanced_accuracy_score(y, found))


def show(differences: Sequence[float]) -> None:
    """Prints the mean difference with its paired interval."""
    mean = statistics.mean(differences)
    if len(differences) in STUDENT:
        error = statistics.stdev(differences) / math.sqrt(len(differences))
        half = STUDENT[len(differences)] * error
        print(f"ours - theirs: {mean:+.2%}, 95 % interval {mean - half:+.2%} to {mean + half:+.2%}")
    else:
        print(f"ours - theirs: {mean:+.2%}")


if __name__ == "__main__":
    main()
