"""A whole search from Python, and what it leaves behind."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import automl
from automl.cli.main import main
from automl.cli.trained_on import trained_on
from automl.cli.wording import configuration
from automl.errors import NotFoundError, SearchError, UsageError
from automl.export.reference import patterns, read_reference
from automl.images import encode_png
from automl.tuning.events import read_events, replay
from automl.tuning.run import Run, find_run, list_runs
from automl.tuning.run_data import load_images, save_images
from automl.workspace import Workspace

PIXELS = {"backbone": "pixels", "resolution": 8}


class Watch:
    """Keeps what a search shows."""

    def __init__(self):
        self.events, self.closed = [], False

    def update(self, event, state):
        self.events.append(event["event"])

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace.find(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def watch():
    return Watch()


@pytest.fixture(scope="module")
def parts(digits):
    return automl.Dataset.from_folder(digits).split(train_size=0.75, seed=1)


@pytest.fixture(scope="module")
def run(parts, workspace, watch):
    """A search of two trials, with held-out images of the user's own."""
    train, test = parts
    return automl.search(
        train,
        test=test,
        name="digits",
        trials=2,
        fixed=PIXELS,
        workspace=workspace,
        progress=watch,
    )


def test_it_is_completed(run):
    assert run.state == "completed"
    assert run.record["seed"] == 0
    assert run.record["labels"] == ["0", "1", "2", "3"]
    assert run.record["counts"]["train"] == dict.fromkeys("0123", 18)
    assert run.record["counts"]["test"] == dict.fromkeys("0123", 6)
    assert run.record["seconds"] > 0


def test_its_first_trial_has_looked_at_the_images(run, parts):
    doubts = run.record["doubts"]
    assert doubts["judged"] == doubts["compared"] == len(parts[0])
    paths = set(parts[0].paths)
    for image in (*doubts["labels"], *doubts["outliers"]):
        assert image["path"] in paths
        assert Path(image["path"]).parent.name == image["label"]
    assert all(image["suggested"] != image["label"] for image in doubts["labels"])
    assert sum(event["event"] == "doubted" for event in read_events(run.folder)) == 1


def test_the_leaderboard_is_sorted_and_keeps_pins(run):
    rows = run.leaderboard
    assert len(rows) == 2
    assert rows[0]["score"] >= rows[1]["score"] > 0.8
    for row in rows:
        assert row["hyperparameters"]["backbone"] == "pixels"
        assert row["hyperparameters"]["resolution"] == 8
        assert row["status"] == "completed"
    assert run.record["winner"] == rows[0]["trial"]


def test_the_model_answers_as_it_was_measured(run, parts):
    _, test = parts
    evaluation = run.best.evaluate(test)
    assert evaluation.balanced_accuracy == run.evaluation.balanced_accuracy > 0.8
    np.testing.assert_allclose(evaluation.probabilities, run.evaluation.probabilities, atol=1e-5)
    assert run.details["metrics"]["test_images"] == 24


def test_the_export_was_proved(run):
    parity = run.record["parity"]
    assert parity["images"] == 32
    assert parity["serving_default"] <= 1e-4
    assert parity["encoded"] <= 1e-4
    model = run.best
    pictures = patterns(model.manifest.height, model.manifest.width)
    predicted = model.predict([encode_png(picture) for picture in pictures])
    for prediction, kept in zip(predicted, read_reference(model.path), strict=True):
        scores = [prediction["scores"][label] for label in model.labels]
        assert scores == pytest.approx(kept, abs=1e-5)


def test_the_manifest_says_what_the_held_out_images_were_taken_for(run):
    reference = run.best.manifest.reference
    assert tuple(reference["classes"]) == run.best.labels
    assert sum(reference["classes"].values()) == pytest.approx(1, abs=1e-5)
    assert sum(reference["confidence"]) == pytest.approx(1, abs=1e-5)
    assert len(reference["confidence"]) == 10


def test_it_can_be_loaded_and_exported(run, workspace, tmp_path):
    assert run.best.version == 1
    assert automl.load_model(run.best.path).labels == ("0", "1", "2", "3")
    run.best.export(tmp_path / "copy")
    assert (tmp_path / "copy" / "saved_model.pb").is_file()


def test_what_is_on_the_disk(run, workspace):
    names = {path.name for path in run.folder.iterdir()}
    assert {"events.jsonl", "run.json", "report.html", "evaluation.npz"} <= names
    assert "winner" not in names
    assert (workspace.models / "digits" / "1" / "saved_model.pb").is_file()
    assert not list(workspace.root.rglob(".*"))


def test_the_record_is_the_replay_of_the_events(run):
    written = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    state = replay(run.folder)
    assert written == {**state.record, **state.details}


def test_everything_was_shown(run, watch):
    assert watch.events[0] == "run_started"
    assert watch.events.count("trial_finished") == 2
    assert "decoding" in watch.events
    assert watch.events[-1] == "run_finished"
    assert watch.closed


def test_nothing_runs_on(run):
    started = psutil.process_iter(["ppid", "cmdline"])  # null where it has ended by itself
    mine = [each.info["cmdline"] or [] for each in started if each.info["ppid"] == os.getpid()]
    assert not [command for command in mine if "automl.tuning.worker" in command]


def test_it_is_found_by_its_id_and_by_its_name(run, workspace):
    assert [each.id for each in list_runs(workspace)] == [run.id]
    for name in (run.id, "digits"):
        assert find_run(workspace, name).id == run.id
    with pytest.raises(NotFoundError, match="found no 'letters'"):
        find_run(workspace, "letters")


def test_it_is_shown_with_how_to_search_so_again(run, workspace, capsys):
    with pytest.raises(SystemExit):
        main(["runs", "show", run.id, "--workspace", str(workspace.root)])
    shown = capsys.readouterr().out
    call = "\nautoml.search(IMAGES, test=TEST_IMAGES, name='digits', trials=2, seed=0, fixed={"
    pins = "'backbone': 'pixels', 'resolution': '8'}, strategy='staged', compute='local', "
    assert f"{call}{pins}workers=1)\n" in shown
    assert "◆" in next(line for line in shown.splitlines() if line.split()[:1] == ["1"])


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ([], "os.environ['KERAS_BACKEND'] = 'torch'; automl.search(IMAGES, name='digits', "),
        (["automl", "search", "my photos"], "KERAS_BACKEND=torch automl search 'my photos'"),
    ],
    ids=["from Python", "from a terminal"],
)
def test_how_to_search_again_on_another_backend(run, tmp_path, capsys, command, shown):
    workspace = Workspace.find(tmp_path)
    started = json.loads((run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()[0])
    started["command"], started["settings"]["backend"] = command, "torch"
    folder = workspace.experiments / "digits" / run.id
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text(json.dumps(started) + "\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["runs", "show", run.id, "--workspace", str(tmp_path)])
    assert capsys.readouterr().out.splitlines()[1].startswith(shown)


def test_evaluate_says_on_how_many_images_the_model_was_trained(
    run, parts, digits, workspace, tmp_path, capsys
):
    def evaluate(images, *options):
        with pytest.raises(SystemExit):
            main(["evaluate", run.id, str(images), "--workspace", str(workspace.root), *options])
        return capsys.readouterr().out

    held_out = tmp_path / "held-out.parquet"
    parts[1].to_parquet(held_out)
    assert "\nIt was trained on 72 of these 96 images" in evaluate(digits)
    assert "trained" not in evaluate(held_out)
    assert json.loads(evaluate(digits, "--json"))["trained_on"] == 72


def test_what_a_model_was_trained_on_may_be_gone(run, digits, workspace, tmp_path, caplog):
    copy = Workspace.find(shutil.copytree(workspace.root, tmp_path / "copy"))
    images, folder = automl.Dataset.from_folder(digits), copy.experiments / "digits" / run.id
    known, _ = load_images(folder)
    moved = known.table.column("path").to_pylist()
    moved[0] = str(tmp_path / "gone.png")
    save_images(folder, automl.Dataset(known.table.set_column(0, "path", [moved])), None)
    assert trained_on(run.best, images, copy) == 71
    assert "have changed or gone since" in caplog.text
    shutil.rmtree(folder)
    assert trained_on(run.best, images, copy) is None


def test_a_run_whose_process_is_gone_has_failed(run, tmp_path):
    events = (run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    first = json.loads(events[0])
    first["process"]["created"] -= 1000
    (tmp_path / "events.jsonl").write_text(json.dumps(first) + "\n")
    broken = Run(tmp_path)
    assert broken.state == "failed"
    with pytest.raises(SearchError, match="expected a run that has exported a model"):
        _ = broken.best
    with pytest.raises(SearchError, match="without one"):
        _ = broken.evaluation


@pytest.mark.parametrize(
    "options",
    [
        {"trials": 0},
        {"seed": -1},
        {"budget": "soon"},
        {"name": "a/b"},
        {"strategy": "stagd"},
        {"observe": "tensorbord"},
        {"fixed": {"backbone": "pixel"}},
    ],
    ids=str,
)
def test_wrong_arguments_make_nothing(digits, tmp_path, options):
    with pytest.raises(UsageError, match="expected "):
        automl.search(digits, workspace=tmp_path / "workspace", **options)
    assert not (tmp_path / "workspace" / "experiments").exists()


@pytest.mark.slow
def test_searching_again_adds_a_run_and_a_version_and_decodes_nothing(run, parts, workspace):
    train, test = parts
    before = {path: path.stat().st_ino for path in (workspace.cache / "pixels").iterdir()}
    watch = Watch()
    again = automl.search(
        train, test=test, name="digits", trials=2, fixed=PIXELS, workspace=workspace, progress=watch
    )
    assert again.best.version == run.best.version + 1
    assert find_run(workspace, "digits").id == again.id
    assert "decoding" not in watch.events
    assert {path: path.stat().st_ino for path in (workspace.cache / "pixels").iterdir()} == before
    rows = [(row["score"], row["hyperparameters"]) for row in again.leaderboard]
    assert rows == [(row["score"], row["hyperparameters"]) for row in run.leaderboard]


@pytest.mark.slow
def test_a_search_in_which_every_trial_fails(digits, tmp_path):
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"no weights")
    pins = {"backbone": "resnet", "depth": 18, "weights": weights}
    with pytest.raises(SearchError, match=r"found that none did: expected .*weights"):
        automl.search(digits, workspace=tmp_path / "workspace", fixed=pins, trials=50)
    (run,) = list_runs(Workspace(tmp_path / "workspace"))
    assert run.state == "failed"
    assert len(run.leaderboard) == 8  # then it is given up


class Disk(threading.Thread):
    """Watches how much a folder holds, the cache left out."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self._root, self._over, self.most = root, threading.Event(), 0

    def bytes(self):
        total = 0
        for folder, folders, files in os.walk(self._root):
            folders[:] = [name for name in folders if name != "cache"]
            for name in files:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118
                except FileNotFoundError:
                    continue
        return total

    def run(self):
        while not self._over.wait(0.01):
            self.most = max(self.most, self.bytes())

    def stop(self):
        self._over.set()
        self.join()


@pytest.mark.slow
def test_a_run_takes_at_most_three_times_its_model_beside_the_cache(parts, tmp_path):
    fixed = {
        "backbone": "efficientnet-lite",
        "depth": 0,
        "resolution": 32,
        "unfreeze": 1.0,
        "epochs": 1,
    }
    disk = Disk(tmp_path)
    disk.start()
    run = automl.search(parts[0], test=parts[1], trials=2, fixed=fixed, workspace=tmp_path)
    disk.stop()
    model = sum(path.stat().st_size for path in run.best.path.rglob("*") if path.is_file())
    assert model > 10_000_000
    assert 2 * 10_000_000 < disk.most <= 3 * model
    assert disk.bytes() < model + 1_000_000
    assert not {path.name for path in run.folder.iterdir()} & {"trials", "winner"}
    assert (run.folder / "worker.log").stat().st_size < 1_000_000


def test_what_a_killed_run_has_left_goes_with_the_next_search(run, parts, tmp_path):
    first = json.loads((run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()[0])
    first["process"]["created"] -= 1000
    left = {}
    for name, age in (("long ago", 25 * 3600), ("just now", 60)):
        left[name] = tmp_path / "experiments" / "digits" / name
        (left[name] / "trials" / "0").mkdir(parents=True)
        log = left[name] / "events.jsonl"
        log.write_text(json.dumps(first) + "\n")
        os.utime(log, (time.time() - age,) * 2)
    (tmp_path / "experiments" / "digits" / "no run" / "winner").mkdir(parents=True)
    automl.search(parts[0], trials=1, fixed=PIXELS, workspace=tmp_path)
    assert not (left["long ago"] / "trials").exists()
    assert (left["just now"] / "trials" / "0").is_dir()  # it may go on in another container


@pytest.mark.slow
@pytest.mark.parametrize("fits", [True, False])
def test_a_trained_winner_without_time_for_a_refit_is_kept_as_its_trial_left_it(
    parts, tmp_path, monkeypatch, fits
):
    from automl.tuning.driver import Driver

    monkeypatch.setattr(Driver, "refit_fits", lambda self, values: fits)
    fixed = {"backbone": "small-cnn", "depth": 2, "resolution": 28, "epochs": 8}
    run = automl.search(parts[0], test=parts[1], trials=1, fixed=fixed, workspace=tmp_path)
    assert run.state == "completed"
    assert any("as its trial left it" in note for note in run.record["notes"]) is not fits
    assert run.details["metrics"]["test_images"] == len(parts[1])
    left = {path.name for path in run.folder.iterdir()}
    assert not left & {"trials", "winner"}


def test_ctrl_c_while_a_further_resolution_is_decoded_keeps_the_best_so_far(parts, tmp_path):
    class Impatient(Watch):
        def update(self, event, state):
            super().update(event, state)
            if event["event"] == "decoding" and state.leaderboard:
                os.kill(os.getpid(), signal.SIGINT)

    watch = Impatient()
    run = automl.search(
        parts[0],
        test=parts[1],
        trials=9,
        fixed={"backbone": "pixels", "head": "logistic"},
        workspace=tmp_path,
        progress=watch,
    )
    assert run.state == "completed"
    assert "stopped" in [row["status"] for row in run.leaderboard]


def test_a_report_that_cannot_be_written_costs_no_model(parts, tmp_path, monkeypatch, caplog):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("automl.evaluation.report.write_report", full)
    run = automl.search(parts[0], trials=1, fixed=PIXELS, workspace=tmp_path)
    assert run.state == "completed"
    assert run.best.labels == ("0", "1", "2", "3")
    assert "report could not be written" in caplog.text


def test_a_seed_that_libraries_cannot_take_is_refused(parts, tmp_path):
    with pytest.raises(UsageError, match="found 5000000000"):
        automl.search(parts[0], seed=5_000_000_000, workspace=tmp_path)


def test_a_resolution_that_has_no_room_costs_its_trials_and_no_more(parts, tmp_path, caplog):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Filling(Watch):
        def update(self, event, state):
            super().update(event, state)
            if event["event"] == "trial_finished":
                resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))

    try:
        run = automl.search(
            parts[0],
            test=parts[1],
            trials=5,
            fixed={"backbone": "pixels", "head": "logistic", "C": 1},
            workspace=tmp_path,
            progress=Filling(),
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert run.state == "completed"
    assert run.best.labels == ("0", "1", "2", "3")
    failed = [row["error"] for row in run.leaderboard if row["status"] == "failed"]
    assert failed
    assert all("expected a cache that can be written" in error for error in failed)
    assert "report could not be written" in caplog.text
    assert not list(tmp_path.rglob(".*"))


def test_what_is_too_large_or_too_slow_is_measured_and_not_trained(parts, tmp_path):
    train, test = parts
    found = automl.search(
        train,
        test=test,
        trials=5,
        fixed={"backbone": "pixels", "head": "logistic"},
        max_size_mb=0.2,
        max_latency_ms=1000,
        workspace=tmp_path,
    )
    rows = {row["hyperparameters"]["resolution"]: row for row in found.leaderboard}
    fit = {side for side, row in rows.items() if row["status"] == "completed"}
    unfit = {side for side, row in rows.items() if row["status"] == "unfit"}
    assert fit
    assert unfit
    assert max(fit) < min(unfit)
    for side in fit:
        assert rows[side]["size_mb"] <= 0.2
        assert 0 < rows[side]["latency_ms"] <= 1000
    for side in unfit:
        assert rows[side]["error"].startswith("expected at most 0.2 MB, found ")
    written = sum(p.stat().st_size for p in found.best.path.rglob("*") if p.is_file()) / 1e6
    assert written == pytest.approx(rows[found.best.manifest.height]["size_mb"], abs=0.05)


@pytest.mark.slow
def test_two_networks_sizes_views_and_the_mirrored_picture_in_one_model(parts, tmp_path):
    train, test = parts
    pins = {
        "backbone": "efficientnet-lite",
        "depth": 0,
        "resolution": 64,
        "fusion": "efficientnet-lite 2",
        "scales": 2,
        "mirror": "yes",
        "views": 3,
        "head": "logistic",
    }
    found = automl.search(
        train, test=test, trials=1, fixed=pins, max_size_mb=200, workspace=tmp_path
    )
    (row,) = found.leaderboard
    assert pins.items() <= row["hyperparameters"].items()
    assert 60 < row["size_mb"] < 120  # of Lite0 alone 14
    assert found.record["parity"]["serving_default"] <= 1e-4
    again = automl.load_model(found.best.path).evaluate(test)
    np.testing.assert_allclose(again.probabilities, found.evaluation.probabilities, atol=1e-5)
    assert configuration(row["hyperparameters"]).startswith(
        "efficientnet-lite 0 + efficientnet-lite 2 at 64 px, logistic, C="
    )
    assert configuration(row["hyperparameters"]).endswith(", 2 sizes, 3 views, mirrored")


def test_nothing_fits(parts, tmp_path):
    train, test = parts
    with pytest.raises(SearchError, match=r"expected at most 0\.001 ms a picture, found "):
        automl.search(
            train,
            test=test,
            trials=2,
            fixed={"backbone": "pixels", "resolution": 8},
            max_latency_ms=0.001,
            workspace=tmp_path,
        )


@pytest.mark.parametrize("most", [0, -1.0, float("nan"), float("inf")])
def test_limits_are_above_nothing(parts, tmp_path, most):
    with pytest.raises(UsageError, match="max_size_mb to be above 0"):
        automl.search(parts[0], max_size_mb=most, workspace=tmp_path)
