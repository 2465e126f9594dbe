"""Who is told of a run, and when."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl.components import Watch
from automl.tuning.journal import Journal, Silence


class Diary(Watch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.run: dict[str, Any] = {}

    def run_started(self, run):
        self.told.append("run_started")

    def epoch_finished(self, run, trial, epoch, logs):
        self.told.append(f"epoch {epoch} of {trial}: {logs['loss']}")

    def trial_finished(self, run, trial):
        self.told.append(f"trial {trial['trial']}: {trial['hyperparameters']} {trial['score']}")

    def run_finished(self, run):
        self.told.append("run_finished")
        self.run = dict(run)


class Broken(Diary):
    def epoch_finished(self, run, trial, epoch, logs):
        super().epoch_finished(run, trial, epoch, logs)
        raise OSError("no room")


def write_a_run(folder: Path, **watches: Watch) -> None:
    journal = Journal(folder, 0.0, Silence(), watches)
    journal.record("run_started", run="r1", name="cups", settings={"observers": list(watches)})
    journal.record("trial_started", trial="0", stage="frozen", hyperparameters={"lr": 0.1})
    for epoch, loss in enumerate((0.5, 0.25)):
        journal.record("epoch", trial="0", epoch=epoch, logs={"loss": loss})
    journal.record("trial_finished", trial="0", status="completed", score=0.75, seconds=1.0)
    journal.record("run_finished", state="completed", metrics={"accuracy": 0.5})
    journal.close()


def test_a_watch_is_told_everything(tmp_path: Path):
    folder = tmp_path / "run"
    diary = Diary()
    write_a_run(folder, diary=diary)
    assert diary.told == [
        "run_started",
        "epoch 0 of 0: 0.5",
        "epoch 1 of 0: 0.25",
        "trial 0: {'lr': 0.1} 0.75",
        "run_finished",
    ]
    assert diary.run == json.loads((folder / "run.json").read_text())
    assert diary.run["metrics"] == {"accuracy": 0.5}


class Ear(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record):
        self.messages.append(record.getMessage())


@pytest.fixture
def ear() -> Iterator[Ear]:
    log, made = logging.getLogger("automl.tuning.journal"), Ear()
    log.addHandler(made)
    yield made
    log.removeHandler(made)


def test_one_that_fails_is_reported_once_and_told_no_more(tmp_path: Path, ear: Ear):
    folder = tmp_path / "run"
    broken, diary = Broken(), Diary()
    write_a_run(folder, broken=broken, diary=diary)
    assert broken.told == ["run_started", "epoch 0 of 0: 0.5"]
    assert len(diary.told) == 5
    (warning,) = ear.messages
    assert "observer 'broken'" in warning
    assert "OSError: no room" in warning


def test_a_run_that_did_not_end_is_not_said_to_have(tmp_path: Path):
    folder = tmp_path / "run"
    diary = Diary()
    journal = Journal(folder, 0.0, Silence(), {"diary": diary})
    journal.record("run_started", run="r1", name="cups")
    journal.close()
    assert diary.told == ["run_started"]
