"""The contract of an observer."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl.components import Observer, Watch
from automl.testing.expect import check_name, expect

_RUN: dict[str, Any] = {
    "run": "20260102-030405-abcd",
    "name": "check",
    "state": "preparing",
    "seed": 0,
    "command": ["automl", "search", "check"],
    "started": "2026-01-02T03:04:05+00:00",
    "seconds": 0.1,
    "budget_seconds": None,
    "labels": [],
    "counts": {},
    "unreadable": [],
    "doubts": None,
    "versions": {},
    "fingerprint": "",
    "model": None,
    "winner": None,
    "notes": [],
    "parity": {},
    "process": None,
    "metrics": {},
    "error": None,
    "settings": {"trials": 2, "pins": {}, "strategy": "staged", "observers": ["check"]},
}
_PREPARED = {
    "state": "running",
    "labels": ["cup", "plate"],
    "counts": {"train": {"cup": 8, "plate": 8}, "test": {"cup": 2, "plate": 2}},
    "dimensions": {
        "head": {"values": ["linear", "logistic"]},
        "depth": {"values": [0, "small"]},
        "unfreeze": {"values": [0.0, 0.5]},
        "C": {"values": ["path"]},
        "lr": {"min": 1e-4, "max": 0.3},
    },
}
_ENDED = {
    "state": "completed",
    "seconds": 9.5,
    "winner": "00",
    "metrics": {"accuracy": 1.0, "balanced_accuracy": 1.0, "test_images": 4},
}
_GOOD: dict[str, Any] = {
    "trial": "00",
    "stage": "frozen",
    "status": "completed",
    "hyperparameters": {"head": "linear", "depth": 0, "unfreeze": 0.0, "lr": 0.01},
    "score": 0.9,
    "spread": None,
    "accuracy": 0.9,
    "log_loss": 0.2,
    "seconds": 2.5,
    "finished_at": 4.0,
    "error": None,
    "history": {"loss": [0.7, 0.4]},
}
_BAD: dict[str, Any] = {
    "trial": "01",
    "stage": "frozen",
    "status": "failed",
    "hyperparameters": {"head": "logistic", "depth": "small", "unfreeze": 0.0, "C": "path"},
    "score": None,
    "spread": None,
    "seconds": 0.5,
    "finished_at": 5.0,
    "error": "expected finite features, found others.",
    "history": None,
}


def check_observer(observer: Observer) -> None:
    """Tells an observer of made-up runs: one that goes well beside one that fails at once.

    Whatever the observer uses must be installed, and what it connects to be there.

    Raises:
        AssertionError: With one sentence, if the contract is broken.
    """
    name = check_name(observer)
    with tempfile.TemporaryDirectory() as place:
        workspace = Path(place)
        first, second = (workspace / "experiments" / "check" / each for each in "ab")
        good, bad = observer.watch(first, workspace), observer.watch(second, workspace)
        expect(
            isinstance(good, Watch) and good is not bad,
            f"expected {name} to return a Watch of its own for each run, found {good!r}.",
        )
        expect(
            not any(workspace.iterdir()),
            f"expected {name} to write nothing before run_started, found that it does.",
        )
        first.mkdir(parents=True)
        second.mkdir()
        _tell(name, good, "run_started", run=_RUN)
        _tell(name, bad, "run_started", run={**_RUN, "run": "b"})
        _tell(name, bad, "run_finished", run={**_RUN, "run": "b", "state": "failed", "error": "no"})
        _tell_of_trials(name, good, {**_RUN, **_PREPARED})
        _tell(name, good, "run_finished", run={**_RUN, **_PREPARED, **_ENDED})


def _tell_of_trials(name: str, watch: Watch, run: Mapping[str, Any]) -> None:
    for epoch, loss in enumerate((0.7, 0.4)):
        logs = {"loss": loss, "val_loss": float("nan")}
        _tell(name, watch, "epoch_finished", run=run, trial="00", epoch=epoch, logs=logs)
    _tell(name, watch, "trial_finished", run=run, trial=_GOOD)
    _tell(name, watch, "trial_finished", run=run, trial=_BAD)


def _tell(name: str, watch: Watch, moment: str, **arguments: Any) -> None:
    """Calls one method; what it raises in a search would end its watching."""
    try:
        getattr(watch, moment)(**arguments)
    except Exception as error:
        found = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise AssertionError(f"expected {name} to take {moment}, found {found}") from error
