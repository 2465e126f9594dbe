"""The worker process: trains, refits and exports what the driver asks for, one at a time.

It reads commands, one JSON object a line, from its standard input and answers on its standard
output. It ends when its standard input does, whatever it is doing, so that a driver that was killed
leaves no orphan.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import AutomlError
from automl.training.milestone import SAVING

if TYPE_CHECKING:
    from automl.training.classifier import Classifier


class Worker:
    """Answers commands until there are no more."""

    def __init__(self, events: int, memory: int | None = None) -> None:
        """Makes a worker.

        Args:
            events: The file descriptor that takes its answers.
            memory: Bytes of private memory above which it says with an answer that it ends.
        """
        self._memory = memory
        self._events = os.fdopen(events, "w", encoding="utf-8")
        self._commands: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._cancelled = threading.Event()

    def run(self) -> None:
        """Answers commands; does not return."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._warm_up()
        while True:
            command = self._commands.get()
            try:
                self._answer("result", **JOBS[command["do"]](self, command))
            except AutomlError as error:
                self._fail(str(error), error.code)
            except Exception as error:
                traceback.print_exc()
                self._fail(_explain(error))

    def _warm_up(self) -> None:
        begun = time.monotonic()
        import keras

        keras.config.set_dtype_policy("float32")
        keras.utils.set_random_seed(0)
        self._send("ready", seconds=time.monotonic() - begun, backend=keras.config.backend())

    def _listen(self) -> None:
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "cancel":
                self._cancelled.set()
            else:
                # Here and not where it is begun: it may be cancelled while it waits its turn.
                self._cancelled.clear()
                self._commands.put(command)
        with SAVING:
            os._exit(0)

    def _send(self, event: str, **fields: Any) -> None:
        self._events.write(json.dumps({"event": event, **fields}, default=_plain) + "\n")
        self._events.flush()

    def _fail(self, message: str, code: str = "trial") -> None:
        self._answer("failed", message=message, code=code)

    def _answer(self, event: str, **fields: Any) -> None:
        """Sends the last event of a command; the driver ends a worker that has grown too large."""
        if self._memory is not None and _private_memory() > self._memory:
            fields["ends"] = True
        self._send(event, **fields)

    def _trial(self, command: Mapping[str, Any]) -> Any:
        from automl.training.judging import Reports
        from automl.training.limits import Limits
        from automl.training.trial import Trial
        from automl.tuning.run_data import load_training_data

        seconds = command.get("seconds")
        limits = Limits(
            time.monotonic() + seconds if seconds is not None else float("inf"),
            self._cancelled.is_set,
        )
        reports = Reports(
            lambda done, total: self._send("images", done=done, total=total),
            lambda epoch, logs: self._send("epoch", epoch=epoch, logs=dict(logs)),
            command.get("reported", 0),
        )
        data, progress = load_training_data(command["data"]), command.get("progress")
        return Trial(command["params"], data, limits, reports, Path(progress) if progress else None)

    def _judge(self, command: Mapping[str, Any]) -> dict[str, Any]:
        trial = self._trial(command)
        result = trial.judge(command.get("doubting", False))
        classifier = trial.as_judged(result.temperature)
        if classifier is not None:
            _keep(classifier, Path(command["checkpoint"]))
        return asdict(result)

    def _refit(self, command: Mapping[str, Any]) -> dict[str, Any]:
        import numpy as np

        from automl.export.exporting import save_reference
        from automl.training.classifier import load_classifier
        from automl.training.forward import predict

        trial = self._trial(command)
        if command["checkpoint"] is None:
            classifier = trial.refit(command["temperature"])
        else:
            classifier = load_classifier(Path(command["checkpoint"]))
        folder = Path(command["folder"])
        classifier.save(folder)
        if trial.precision != "float32":
            classifier = load_classifier(folder)  # in float32, as it is exported and proved
        rows = np.asarray(command["reference_rows"])
        save_reference(folder, rows, predict(classifier.model, trial.data.pixels, rows))
        return {"parameters": int(classifier.model.count_params())}

    def _export(self, command: Mapping[str, Any]) -> dict[str, Any]:
        from automl.export.exporting import export

        parity = export(
            Path(command["folder"]),
            Path(command["staged"]),
            Path(command["pixels"]),
            command["originals"],
            command["test_rows"],
        )
        return {"parity": parity}


def _measure(worker: Worker, command: Mapping[str, Any]) -> dict[str, Any]:
    from automl.export.measuring import measure

    return measure(command["params"], command["classes"])


def _keep(classifier: Classifier, folder: Path) -> None:
    """Saves what a trial has trained; one that cannot be saved can be trained again."""
    try:
        classifier.save(folder)
    except Exception:  # HDF5 has errors of its own for a full disk
        traceback.print_exc()
        shutil.rmtree(folder, ignore_errors=True)


JOBS = {
    "judge": Worker._judge,
    "refit": Worker._refit,
    "export": Worker._export,
    "measure": _measure,
}


def _private_memory() -> int:
    """Returns this process' own bytes: mapped files, such as pixels, do not count."""
    import psutil

    return int(psutil.Process().memory_full_info().uss)


def _plain(value: Any) -> Any:
    """Turns NumPy's numbers into Python's."""
    return value.item() if hasattr(value, "item") else str(value)


def _explain(error: Exception) -> str:
    """Returns the sentence for what no part of the project has put into words."""
    kind, text = type(error).__name__, _first_line(error)
    # HDF5 and TensorFlow have errors of their own for a full disk.
    if "no space left on device" in str(error).lower():
        return "expected room on the disk, found none left; free some and retry."
    if kind in ("MemoryError", "ResourceExhaustedError"):
        return "expected enough memory, found none left; try a smaller batch_size."
    return f"expected the trial to end well, found {kind}: {text}; see the run's worker.log."


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else "no message"


def main() -> None:
    """Starts the worker; see the module's text for what it reads and writes."""
    parser = argparse.ArgumentParser(description="A worker of `automl search`.")
    parser.add_argument("--memory", type=int)
    memory = parser.parse_args().memory
    events = os.dup(1)
    os.dup2(2, 1)  # what libraries print, those in C too, goes to the log and not between answers
    Worker(events, memory).run()


if __name__ == "__main__":
    main()
