"""A search that was killed goes on: nothing twice, nothing lost, nothing left behind."""

from __future__ import annotations

import datetime
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

import automl
from automl.errors import SearchError
from automl.tuning.events import EventLog, read_events
from automl.tuning.run import list_runs
from automl.workspace import Workspace

KILLS = 3  # of each strategy
PATIENCE = 200.0
DAY = 86400
EPOCHS = 6
FROZEN = {"backbone": "pixels", "resolution": 8}
SMALL = {"backbone": "small-cnn", "resolution": 32, "depth": 2}
TRAINED = {**SMALL, "epochs": EPOCHS, "augmentation": "none"}


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "expected it by now, found it still missing."
        time.sleep(0.01)


def begin(workspace, *arguments, err=None):
    """Starts `automl search` as a process of its own."""
    command = [sys.executable, "-m", "automl", "search", *map(str, arguments), "--json"]
    return psutil.Popen(
        [*command, "--workspace", str(workspace.root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=err or subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def search(images, pins, strategy="staged", trials=3):
    fixed = [part for name, value in pins.items() for part in ("--set", f"{name}={value}")]
    return [images, "--name", "digits", "--trials", trials, "--strategy", strategy, *fixed]


def events(workspace):
    logs = list(workspace.experiments.glob("*/*/events.jsonl"))
    return list(read_events(logs[-1].parent)) if logs else []


def happened(workspace, event, count=1):
    return sum(each["event"] == event for each in events(workspace)) >= count


def kill(process):
    """Kills a search as `kill -9` does, and waits until its workers have noticed."""
    family = process.children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _, left = psutil.wait_procs(family, timeout=30)
    assert not [each for each in left if each.status() != psutil.STATUS_ZOMBIE]


def rest_for_a_day(run):
    """Has a run that was killed begun, and so been killed, a day earlier."""
    log = run.folder / "events.jsonl"
    started = run.record["started"]
    earlier = datetime.datetime.fromisoformat(started) - datetime.timedelta(seconds=DAY)
    log.write_text(log.read_text().replace(started, earlier.isoformat()))


def check_it_is_whole(workspace, trials=3):
    """Checks that nothing was done twice, beyond the epoch that was under way at a kill."""
    (run,) = list_runs(workspace)
    log = events(workspace)
    for kind in ("trial_started", "trial_finished"):
        count = Counter(event["trial"] for event in log if event["event"] == kind)
        assert set(count.values()) == {1}
        assert len(count) == trials
    assert {row["status"] for row in run.leaderboard} == {"completed"}
    assert [event["at"] for event in log] == sorted(event["at"] for event in log)
    assert run.state == "completed"
    assert [path.name for path in (workspace.models / run.name).iterdir()] == ["1"]
    left = {path.name for path in run.folder.iterdir()} & {"trials", "progress", "winner"}
    assert not left
    return run


def test_a_killed_search_goes_on(digits, tmp_path):
    workspace = Workspace.find(tmp_path)
    process = begin(workspace, *search(digits, FROZEN, trials=2))
    wait_until(lambda: happened(workspace, "trial_started", 2))
    (run,) = list_runs(workspace)
    kill(process)
    log = EventLog(run.folder, begun=0.0)  # as whoever goes on with it
    with pytest.raises(SearchError, match="going on in another process"):
        automl.resume(run, workspace=workspace)
    log.close()
    shown = subprocess.run(
        [sys.executable, "-m", "automl", "runs", "show", run.id, "--workspace", workspace.root],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"automl search --resume {run.id} --workspace {workspace.root}" in shown
    spent = events(workspace)[-1]["at"]
    rest_for_a_day(run)

    process = begin(workspace, "--resume", run.name)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert spent < events(workspace)[-1]["at"] < DAY
    found = check_it_is_whole(workspace, trials=2)
    result = json.loads(out)
    assert result["run"] == run.id == found.id
    assert result["state"] == "completed"
    assert result["trials"] == 2

    with pytest.raises(SearchError, match="completed"):
        automl.resume(run.id, workspace=workspace)


def test_other_images_are_refused(digits, tmp_path):
    images = tmp_path / "digits"
    images.mkdir()
    for folder in digits.iterdir():
        (images / folder.name).mkdir()
        for path in folder.iterdir():
            (images / folder.name / path.name).write_bytes(path.read_bytes())
    workspace = Workspace.find(tmp_path / "workspace")
    process = begin(workspace, *search(images, FROZEN))
    wait_until(lambda: happened(workspace, "trial_started"))
    kill(process)
    first, second = sorted((images / "0").iterdir())[:2]
    first.write_bytes(next((images / "1").iterdir()).read_bytes())
    process = begin(workspace, "--resume", "digits")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "some have changed" in err.splitlines()[-1]
    assert second.exists()


def test_nothing_else_is_given_beside_it(tmp_path):
    process = begin(Workspace.find(tmp_path), "--resume", "digits", "--budget", "3m")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert err.splitlines()[-1].startswith("Error: expected a run to go on as it was asked for")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("strategy", ["staged", "random"])
def test_it_ends_as_if_it_had_not_been_killed(digits, tmp_path, strategy):
    """Kills it at random moments."""
    undisturbed = Workspace.find(tmp_path / "undisturbed")
    began = time.monotonic()
    process = begin(undisturbed, *search(digits, TRAINED, strategy))
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    seconds = time.monotonic() - began
    expected = check_it_is_whole(undisturbed)

    moments, kills, tries = random.Random(7), 0, 0
    while kills < KILLS:
        tries += 1
        workspace = Workspace.find(tmp_path / f"killed-{tries}")
        arguments = search(digits, TRAINED, strategy)
        while True:
            process = begin(workspace, *arguments)
            time.sleep(moments.uniform(0.2, 0.8) * seconds)
            if process.poll() is not None or kills >= KILLS:
                _, err = process.communicate(timeout=PATIENCE)
                assert process.returncode == 0, err
                break
            kill(process)
            kills += 1
            if happened(workspace, "run_finished"):  # all that was left was to say so
                break
            if events(workspace):  # else nothing had begun
                arguments = ["--resume", "digits"]
        found = check_it_is_whole(workspace)
        assert found.record["winner"] == expected.record["winner"]
        for row, same in zip(found.leaderboard, expected.leaderboard, strict=True):
            assert row["hyperparameters"] == same["hyperparameters"]
            assert row["score"] == pytest.approx(same["score"], abs=0.02)
            assert len(row["history"]["val_loss"]) == EPOCHS
        log = events(workspace)
        resumed = sum(event["event"] == "run_resumed" for event in log)
        assert sum(event["event"] == "epoch" for event in log) <= 3 * EPOCHS + resumed
