"""A run's event log and what it adds up to."""

from __future__ import annotations

import json
import math
import resource

import numpy as np
import pytest

from automl.errors import SearchError
from automl.tuning.events import EventLog, RunState, read_events, replay


@pytest.fixture
def log(tmp_path):
    opened = EventLog(tmp_path, begun=0.0)
    yield opened
    opened.close()


def trial(name, score, status="completed", gmacs=1.0, log_loss=0.5):
    return {
        "trial": name,
        "status": status,
        "score": score,
        "cost_gmacs": gmacs,
        "log_loss": log_loss,
        "seconds": 1.5,
    }


def write_a_run(log):
    """Writes a whole run, and returns the state that was kept alongside."""
    live = RunState()

    def record(event, **fields):
        live.apply(log.append(event, **fields))

    record("run_started", run="r1", name="größe", seed=3, state="preparing", process={"pid": 1})
    record("prepared", labels=("a", "b"), counts={"train": {"a": 3}}, unreadable=[])
    record("note", text="one thing")
    record("note", text="another thing")
    record("trial_started", trial="0", stage="frozen", hyperparameters={"backbone": "pixels"})
    record("epoch", trial="0", epoch=0, logs={"loss": 2.0, "accuracy": 0.5})
    record("epoch", trial="0", epoch=1, logs={"loss": math.nan, "accuracy": 0.75})
    record("trial_finished", **trial("0", 0.75))
    record("trial_started", trial="1", stage="frozen", hyperparameters={"backbone": "alexnet"})
    record("trial_finished", trial="1", status="failed", score=None, seconds=0.1, error="no room")
    record("trial_started", trial="2", stage="fine-tune", hyperparameters={})
    return live


def test_replay_is_what_was_kept_live(log, tmp_path):
    live = write_a_run(log)
    replayed = replay(tmp_path)
    assert replayed.record == live.record
    assert replayed.trials == live.trials
    assert replayed.details == live.details
    assert replayed.leaderboard == live.leaderboard


def test_what_the_events_add_up_to(log, tmp_path):
    write_a_run(log)
    state = replay(tmp_path)
    assert state.record["name"] == "größe"
    assert state.record["state"] == "running"
    assert state.record["notes"] == ["one thing", "another thing"]
    assert state.record["labels"] == ["a", "b"]
    assert state.details["process"] == {"pid": 1}
    assert [row["trial"] for row in state.leaderboard] == ["0", "1"]  # the third goes on
    assert state.trials["0"]["history"] == {"loss": [2.0, None], "accuracy": [0.5, 0.75]}
    assert state.trials["1"]["error"] == "no room"
    assert state.trials["1"]["finished_at"] <= state.record["seconds"]


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_last_line_that_was_cut_off_is_ignored(log, tmp_path, cut):
    write_a_run(log)
    log.append("note", text="the last, which did not reach the disk as a whole")
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert replay(tmp_path).record["notes"] == ["one thing", "another thing"]


@pytest.mark.parametrize("damage", [b"{", b"[]", b"7", b'{"event": 1}', b"\xff\x00", b""])
def test_any_other_damaged_line_costs_itself_alone(log, tmp_path, damage, caplog):
    write_a_run(log)
    path = tmp_path / "events.jsonl"
    lines = path.read_bytes().splitlines()
    lines[4] = damage  # the beginning of trial 0
    path.write_bytes(b"\n".join(lines) + b"\n")
    state = replay(tmp_path)
    assert state.record["notes"] == ["one thing", "another thing"]
    assert [row["trial"] for row in state.leaderboard] == ["1"]
    assert "line 5" in caplog.text


def test_the_log_only_grows(log, tmp_path):
    log.append("note", text="a")
    before = (tmp_path / "events.jsonl").read_bytes()
    log.close()
    again = EventLog(tmp_path, begun=0.0)
    again.append("note", text="b")
    again.close()
    after = (tmp_path / "events.jsonl").read_bytes()
    assert after.startswith(before)
    assert [event["text"] for event in read_events(tmp_path)] == ["a", "b"]


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path):
    (tmp_path / "events.jsonl").write_bytes(b'{"event": "note", "at": 1.0, "text": "a"}\n{"eve')
    log = EventLog(tmp_path, begun=0.0)
    log.append("note", text="b")
    with pytest.raises(SearchError, match="going on in another process"):
        EventLog(tmp_path, begun=0.0)
    log.close()
    assert [event["text"] for event in read_events(tmp_path)] == ["a", "b"]


def test_numbers_that_json_does_not_know_are_null(log, tmp_path):
    values = {"nan": math.nan, "deep": [{"inf": math.inf}, (-math.inf, 1.0)]}
    written = log.append("note", text="", values=values, numpy=np.float64("nan"))
    assert written["values"] == {"nan": None, "deep": [{"inf": None}, [None, 1.0]]}
    assert written["numpy"] is None
    line = (tmp_path / "events.jsonl").read_text()
    assert json.loads(line, parse_constant=pytest.fail) == written


def test_the_better_trial_comes_first():
    rows = [
        trial("best", 0.9),
        trial("as good and cheaper", 0.8, gmacs=0.5),
        trial("as good and as cheap, but surer", 0.8, gmacs=1.0, log_loss=0.2),
        trial("as good", 0.8 + 1e-9, gmacs=1.0),
        trial("worse", 0.7),
        trial("failed", None, status="failed"),
    ]
    assert ranked(rows[2:] + rows[:2]) == rows


def test_less_than_an_image_is_a_tie():
    rows = [trial("cheaper", 0.898, gmacs=1.0), trial("dearer", 0.8984, gmacs=2.0)]
    assert ranked(rows, images=205) == rows
    assert ranked(rows, images=10_000) == rows[::-1]


def ranked(rows, images=None):
    state = RunState()
    if images is not None:
        counts = {"train": {"a": images - 5, "b": 5}}
        state.apply({"event": "prepared", "at": 0.0, "counts": counts})
    state.trials = dict(enumerate(rows))
    return state.leaderboard


def test_an_event_that_the_disk_did_not_take_spoils_no_other(log, tmp_path):
    log.append("note", text="before")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "events.jsonl").stat().st_size + 9, -1))
    try:
        with pytest.raises(OSError, match="too large"):
            log.append("note", text="lost")
        assert [event["text"] for event in read_events(tmp_path)] == ["before"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    log.append("note", text="after")
    assert [event["text"] for event in read_events(tmp_path)][-1] == "after"


def test_a_log_is_closed_whatever_the_disk_takes(tmp_path):
    (tmp_path / "events.jsonl").symlink_to("/dev/full")
    log = EventLog(tmp_path, begun=0.0)
    with pytest.raises(OSError, match="No space left"):
        log.append("note", text="lost")
    log.close()
