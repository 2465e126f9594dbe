"""A trial's fine-tuning against a bare Keras loop over the same arrays, and how busy the GPU is.

    KERAS_BACKEND=torch python benchmarks/training_pace.py IMAGES

All of EfficientNet-Lite0 is trained, without augmentation, under the same dtype policy: by a trial
that validates on a few pictures after each epoch, and by `Model.fit` on the pictures in
memory. Without a GPU, the ratio alone is printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import threading
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from fine_tuning import params, training_data

import automl
from automl.cli.options import print_table
from automl.hardware import gpus
from automl.training.data import TrainingData
from automl.training.judging import Reports
from automl.training.trial import Trial

LEAST_PACE, LEAST_BUSY = 0.95, 0.90
SAMPLE_SECONDS = 0.2
BATCH, JUDGED = 32, 32
"""Images a step, and those that the trial is validated on: as few as there is use for."""


def main() -> None:
    """Trains twice and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", metavar="IMAGES", help="a folder of class folders")
    parser.add_argument("--epochs", type=int, default=4, help="of each (default: 4)")
    parser.add_argument("--side", type=int, default=224, help="in pixels (default: 224)")
    parser.add_argument("--most", type=int, default=10**6, help="images to take")
    arguments = parser.parse_args()
    dataset = automl.Dataset.from_folder(arguments.images)
    rows = np.random.default_rng(0).permutation(len(dataset))[: arguments.most]
    with tempfile.TemporaryDirectory() as place:
        positions = np.arange(len(rows))
        folds = [(positions[JUDGED:], positions[:JUDGED])]
        data = training_data(dataset, rows, folds, arguments.side, place)
        values = {
            **params(arguments.side, arguments.epochs),
            "unfreeze": 1.0,
            "augmentation": "none",
            "lr": 2e-4,
        }
        bare = bare_pace(data, arguments.epochs)
        busy = BusyGpu()
        ours = trial_pace(data, values)
        shares = busy.stop()
    found = [("bare loop", f"{bare:.1f} images/s", ""), ("trial", f"{ours:.1f} images/s", "")]
    found.append(("trial / bare loop", f"{ours / bare:.2f}", f"at least {LEAST_PACE}"))
    busy_share = f"{statistics.mean(shares):.0%}" if shares else "no GPU here"
    found.append(("GPU busy while it trains", busy_share, f"at least {LEAST_BUSY:.0%}"))
    print_table(("", "FOUND", "WANTED"), found)


def bare_pace(data: TrainingData, epochs: int) -> float:
    """Returns images a second of `Model.fit` on arrays; the first epoch also compiles."""
    import keras

    from automl.plugins import plugin_manager

    side = data.pixels.shape[1]
    network = plugin_manager().backbones["efficientnet-lite"].build(0, side, "pretrained")
    inputs = keras.Input((side, side, 3))
    logits = keras.layers.Dense(data.classes, dtype="float32")(network(inputs))
    model = keras.Model(inputs, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(2e-4), loss)
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    train = data.folds[0][0]
    x, y = data.pixels[data.rows[train]], data.y[train]
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[clock])
    return len(train) * (epochs - 1) / (ends[-1] - ends[0])


def trial_pace(data: TrainingData, values: dict[str, Any]) -> float:
    """Returns the same of a trial, whose epochs end with a pass over `JUDGED` images."""
    ends: list[float] = []
    reports = Reports(on_epoch=lambda epoch, logs: ends.append(time.perf_counter()))
    Trial(values, data, reports=reports).judge()
    return len(data.folds[0][0]) * (len(ends) - 1) / (ends[-1] - ends[0])


class BusyGpu:
    """Samples how busy the GPU is, in shares 0..1, between the first and the last busy sample."""

    def __init__(self) -> None:
        self._samples: list[float] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def stop(self) -> list[float]:
        """Returns the samples; none where there is no GPU."""
        self._stopped.set()
        self._thread.join()
        busy = [number for number, share in enumerate(self._samples) if share > 0]
        return self._samples[busy[0] : busy[-1] + 1] if busy else []

    def _sample(self) -> None:
        if not gpus():
            return
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self._stopped.wait(SAMPLE_SECONDS):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            self._samples.append(float(done.stdout.split()[0]) / 100)


if __name__ == "__main__":
    main()
