"""A run's event log: the truth, from which run.json and the leaderboard are derived.

`events.jsonl` is only ever appended to, one JSON object a line, each on the disk before the
run goes on. A last line that was cut off by a crash is ignored, and any other that a failing
disk or an editor has damaged costs itself alone. Whoever appends holds a lock on it, so that one
process at a time goes on with a run.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from automl.errors import SearchError
from automl.records import RunRecord, TrialRecord

logger = logging.getLogger(__name__)

FILE = "events.jsonl"

MANY = 10**6
"""Stands for training images that have not been counted."""

OF_THE_RUN = frozenset(
    {
        "run_started",
        "run_resumed",
        "prepared",
        "doubted",
        "finalizing",
        "registered",
        "run_finished",
    }
)
"""Events whose fields are the run's own."""


class EventLog:
    """Appends events to a run's log."""

    def __init__(self, folder: Path, begun: float) -> None:
        """Opens the log.

        Args:
            folder: The run's folder.
            begun: When the run began, as `time.time` gives it; later by as much as it rested.

        Raises:
            SearchError: If another process has it open.
        """
        self._file = (folder / FILE).open("a+b")
        self._begun = begun
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise SearchError(
                f"expected a run that nothing works on, found {folder.name} going on in another "
                f"process; wait for its end."
            ) from None
        self._end_last_line()

    def append(self, event: str, **fields: Any) -> dict[str, Any]:
        """Writes one event, with the seconds since the run began, and returns it as written."""
        record = {"event": event, "at": round(time.time() - self._begun, 3), **fields}
        line = json.dumps(_finite(record), ensure_ascii=False, default=str)
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        written: dict[str, Any] = json.loads(line)
        return written

    def _end_last_line(self) -> None:
        """Keeps a line that a crash cut off from spoiling the next one."""
        if self._file.seek(0, os.SEEK_END) > 0:
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    def close(self) -> None:
        """Closes the file; what a full disk did not take has been told by `append`."""
        with contextlib.suppress(OSError):
            self._file.close()


def read_events(folder: Path) -> Iterator[dict[str, Any]]:
    """Yields the events of the run in `folder`, oldest first."""
    with (folder / FILE).open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                try:
                    event = json.loads(line)
                    yield {**event, "event": str(event["event"]), "at": float(event["at"])}
                except (ValueError, KeyError, TypeError):
                    logger.warning("line %d of %s is damaged and left out.", number, file.name)


class RunState:
    """What a run's events add up to.

    Attributes:
        record: What run.json holds.
        trials: The leaderboard's rows by trial, in the order in which they began.
        details: What else the run keeps: process, arguments, held-out metrics.
        images: Training images, of which less than one makes no difference between scores.
    """

    def __init__(self) -> None:
        self.record: RunRecord = {
            "run": "",
            "name": "",
            "state": "queued",
            "seed": 0,
            "command": [],
            "started": "",
            "seconds": 0.0,
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
        }
        self.images = MANY
        self.trials: dict[str, TrialRecord] = {}
        self.details: dict[str, Any] = {"process": None, "metrics": {}, "error": None}

    def apply(self, event: Mapping[str, Any]) -> None:
        """Takes one event into account."""
        fields = {name: value for name, value in event.items() if name not in ("event", "at")}
        self.record["seconds"] = event["at"]
        kind = event["event"]
        if kind in OF_THE_RUN:
            self._update(fields)
        if kind == "note":
            self.record["notes"] = [*self.record["notes"], fields["text"]]
        elif kind == "prepared":
            self.record["state"] = "running"
            self.images = sum(self.record["counts"].get("train", {}).values()) or MANY
        elif kind == "finalizing":
            self.record["state"] = "finalizing"
        elif kind == "trial_started":
            self.trials[fields["trial"]] = {**fields, "history": None}  # type: ignore[typeddict-item]
        elif fields.get("trial") not in self.trials:
            pass  # its beginning was lost
        elif kind == "epoch":
            self._epoch(fields["trial"], int(fields["epoch"]), fields["logs"])
        elif kind == "trial_finished":
            row = self.trials[fields["trial"]]
            row.update({**fields, "finished_at": event["at"]})  # type: ignore[typeddict-item]

    @property
    def leaderboard(self) -> list[TrialRecord]:
        """The finished trials, the best first.

        The higher class-averaged accuracy wins, rounded to whole images; a tie goes to the cheaper
        model, and among models of one cost to the higher accuracy, then to the smaller log loss.
        """
        finished = [row for row in self.trials.values() if "status" in row]
        return sorted(finished, key=self._rank)

    def epochs(self, trial: str) -> int:
        """Returns how many epochs of a trial were reported."""
        history = self.trials[trial].get("history") or {}
        return len(history.get("loss", []))

    def _rank(self, row: TrialRecord) -> tuple[float, float, float, float]:
        score = row["score"] if row["status"] == "completed" else None
        if score is None:
            return math.inf, 0.0, 0.0, 0.0
        cost, loss = row.get("cost_gmacs") or 0.0, row.get("log_loss") or 0.0
        return -round(score * self.images), cost, -round(score, 6), loss

    def _update(self, fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            if name in self.record:
                self.record[name] = value  # type: ignore[literal-required]
            else:
                self.details[name] = value

    def _epoch(self, trial: str, epoch: int, logs: Mapping[str, float | None]) -> None:
        """Takes an epoch's logs; one that was lost and trained again counts once."""
        history: dict[str, Any] = dict(self.trials[trial].get("history") or {})
        for name, value in logs.items():
            history[name] = [*history.get(name, [])[:epoch], value]
        self.trials[trial]["history"] = history  # type: ignore[typeddict-item]


def replay(folder: Path) -> RunState:
    """Returns what the events of the run in `folder` add up to."""
    state = RunState()
    for event in read_events(folder):
        state.apply(event)
    return state


def _finite(value: Any) -> Any:
    """JSON has no NaN: such values become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
