"""A minute of `automl search` against ten of AutoKeras in its default configuration.

    python3.11 -m venv autokeras
    autokeras/bin/pip install autokeras==3.0.0 'keras==3.12.*' tensorflow tensorboard
    python benchmarks/autokeras_default.py IMAGES --python autokeras/bin/python

Both get the same splits, near duplicates on one side. AutoKeras runs in an environment of its own,
as it asks for an older Keras: `ImageClassifier().fit(...)` on pictures of 224 pixels, stopped when
its time is over. Its model is the best that it has kept by then, its own choice of trials, epochs
and validation split; measuring is not counted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SIDE = 224


def main() -> None:
    """Runs both on each split and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", metavar="IMAGES", help="a folder of class folders")
    parser.add_argument("--python", required=True, help="of AutoKeras' environment")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--ours", default="60s", help="for a search (default: 60s)")
    parser.add_argument("--theirs", default="10m", help="for AutoKeras (default: 10m)")
    parser.add_argument("--kept", type=Path, help="a file of results that are not computed again")
    arguments = parser.parse_args()

    from keras_tuner_script import Kept, compare

    from automl.tuning.settings import parse_duration

    seconds = parse_duration(arguments.theirs)

    def theirs(dataset: Any, train: Any, test: Any) -> tuple[float, float]:
        from sklearn.metrics import accuracy_score, balanced_accuracy_score

        with tempfile.TemporaryDirectory() as place:
            data = Path(place) / "data.npz"
            x, y = pictures(dataset.paths), dataset.y
            np.savez(data, train=x[train], y=y[train], test=x[test])
            command = [arguments.python, __file__, "--autokeras", str(data), str(seconds)]
            subprocess.run(command, stdout=sys.stderr, check=True)
            found = np.load(data.with_suffix(".npy"))
        return accuracy_score(y[test], found), balanced_accuracy_score(y[test], found)

    peer = f"AutoKeras for {arguments.theirs}"
    compare(arguments, theirs, {}, Kept(arguments.kept), peer)


def pictures(paths: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Returns uint8 RGB `[N, 224, 224, 3]`."""
    from automl.images import decode

    return np.stack([decode(path, (SIDE, SIDE)) for path in paths])


def run_autokeras(data: Path, seconds: float) -> None:
    """Fits AutoKeras until its time is over, and writes the classes it finds for the test set."""
    import autokeras  # type: ignore[import-not-found]
    import keras

    begun = time.monotonic()

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if time.monotonic() - begun > seconds:
                raise KeyboardInterrupt

    best: list[Any] = [float("inf"), None]

    class Best(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            # The last fit, on everything, has nothing to validate on and is what it would return.
            loss = logs.get("val_loss", -1.0)
            if loss < best[0] or loss < 0:
                best[:] = [loss, (self.model, self.model.get_weights())]

    with np.load(data) as arrays:
        train, y, test = arrays["train"], arrays["y"], arrays["test"]
    names = sorted({str(label) for label in y})
    classifier = autokeras.ImageClassifier(directory=data.parent / "autokeras", seed=0)
    try:
        labels = np.array([str(label) for label in y])
        classifier.fit(train, labels, callbacks=[Clock(), Best()], verbose=0)
    except KeyboardInterrupt:
        pass
    if best[1] is None:
        raise SystemExit("expected an epoch to end in that time; allow more.")
    model, weights = best[1]
    model.set_weights(weights)
    outputs = model.predict(test.astype(np.float32), verbose=0)
    places = outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0.5).astype(int)
    np.save(data.with_suffix(".npy"), np.array([int(names[place]) for place in places]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--autokeras"]:
        run_autokeras(Path(sys.argv[2]), float(sys.argv[3]))
    else:
        main()
