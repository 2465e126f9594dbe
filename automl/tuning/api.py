"""`automl.search`: finds, exports and measures a classifier."""

from __future__ import annotations

import datetime
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from automl.cache import Cache
from automl.components import Part
from automl.data.dataset import Dataset
from automl.errors import SearchError, SearchInterrupted, UsageError
from automl.plugins import plugin_manager
from automl.processes import this_process
from automl.tuning.checks import check_images, check_settings
from automl.tuning.journal import Journal, Progress, Silence
from automl.tuning.preparation import by_split, rejection_notes
from automl.tuning.run import Run, find_run
from automl.tuning.run_data import load_images, save_images
from automl.tuning.scratch import remove_scratch, sweep
from automl.tuning.settings import SearchSettings, parse_duration, training_backend
from automl.tuning.versions import library_versions
from automl.tuning.worker_process import WorkerProcess
from automl.workspace import Workspace, check_name

DEFAULT_BUDGET = "10m"

MAX_SEED = 2**32 - 2
"""What scikit-learn and Keras Tuner take, to which strategies add one."""


def search(
    dataset: Dataset | str | os.PathLike[str],
    *,
    test: Dataset | str | os.PathLike[str] | None = None,
    name: str = "images",
    budget: str | float | None = None,
    trials: int | None = None,
    seed: int = 0,
    fixed: Mapping[str, Any] | None = None,
    strategy: str = "staged",
    compute: str = "local",
    observe: str | Sequence[str] = (),
    max_latency_ms: float | None = None,
    max_size_mb: float | None = None,
    workers: int = 1,
    workspace: Workspace | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Searches for a classifier of `dataset`, exports the best and measures it.

    Args:
        dataset: A dataset, or whatever `Dataset.from_source` reads.
        test: Held-out images of your own; otherwise a stratified fifth is set aside. They are
            looked at once, at the end.
        name: Names the experiment and the model; searching again adds a run and a version.
        budget: For all of it, such as `"3m"` or seconds; 10 minutes unless `trials` is given.
        trials: The most trials.
        seed: 0 or more; all randomness follows from it.
        fixed: Values by dimension, such as `{"backbone": "resnet", "depth": 18}`.
        strategy: How trials are chosen; see `automl plugins list`.
        compute: Where they run: `"local"`, or `"ray"` for a Ray cluster.
        max_latency_ms: The most milliseconds that one picture may take where it is deployed, as
            measured on this machine; networks that take longer are not trained.
        max_size_mb: The most million bytes of the SavedModel, likewise.
        workers: How many trials run at a time, each on its part of the cores and on a GPU of its
            own if there are enough.
        observe: Names of observers that watch, such as `"tensorboard"`.
        workspace: Where everything is kept; see `Workspace.find`.
        progress: Shows what happens.

    Returns:
        The finished run; `run.best` is its model.

    Raises:
        DataError: If the images cannot be learned from.
        UsageError: If an argument makes no sense.
        SearchError: If no trial succeeded.
        SearchInterrupted: If it was stopped (Ctrl-C) before there was anything to keep.
    """
    pins = {key: str(value) for key, value in (fixed or {}).items()}
    if trials is not None and trials < 1:
        raise UsageError(f"expected one trial or more, found {trials}; correct it.")
    if workers < 1:
        raise UsageError(f"expected one worker or more, found {workers}; correct it.")
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"expected a seed from 0 to {MAX_SEED}, found {seed}; correct it.")
    for most, what in ((max_latency_ms, "max_latency_ms"), (max_size_mb, "max_size_mb")):
        if most is not None and not 0 < most < float("inf"):
            raise UsageError(f"expected {what} to be above 0, found {most}; correct it.")
    seconds = parse_duration(budget) if budget is not None else None
    if seconds is None and trials is None:
        seconds = parse_duration(DEFAULT_BUDGET)
    settings = SearchSettings(
        name=check_name(name, "experiment"),
        budget=seconds,
        trials=trials,
        seed=seed,
        pins=pins,
        strategy=strategy,
        compute=compute,
        backend=training_backend(),
        max_latency_ms=max_latency_ms,
        max_size_mb=max_size_mb,
        workers=workers,
        observers=list(dict.fromkeys([observe] if isinstance(observe, str) else observe)),
    )
    place = workspace if isinstance(workspace, Workspace) else Workspace.find(workspace)
    return run_search(settings, dataset, test, place, progress or Silence())


def resume(
    run: str | Run,
    *,
    workspace: Workspace | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Goes on with a search that was killed, cancelled, or failed.

    What was tried is not tried again, and the time that it took counts.

    Args:
        run: A run, its id, or an experiment's name for its newest run.
        workspace: Where it is kept; see `Workspace.find`.
        progress: Shows what happens.

    Raises:
        NotFoundError: If there is no such run.
        SearchError: If it has ended well, goes on elsewhere, or its images have changed.
        SearchInterrupted: If it was stopped again.
    """
    place = workspace if isinstance(workspace, Workspace) else Workspace.find(workspace)
    return resume_search(run, place, progress or Silence(), time.time())


def run_search(
    settings: SearchSettings,
    dataset: Dataset | str | os.PathLike[str],
    test: Dataset | str | os.PathLike[str] | None,
    workspace: Workspace,
    progress: Progress,
) -> Run:
    """Does what `search` says, on settings that were checked."""
    check_settings(plugin_manager(), settings)
    run_id = f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    folder = workspace.experiments / settings.name / run_id
    images, held_out = _dataset(dataset, workspace), None
    if test is not None:
        held_out = _dataset(test, workspace)
    notes = rejection_notes(images.rejected)
    images, held_out = by_split(images, held_out)
    check_images(images, held_out)

    def begin(journal: Journal) -> None:
        save_images(folder, images, held_out)
        started = datetime.datetime.fromtimestamp(settings.began, datetime.UTC)
        journal.record(
            "run_started",
            run=run_id,
            name=settings.name,
            state="preparing",
            seed=settings.seed,
            command=list(settings.command),
            started=started.isoformat(timespec="seconds"),
            budget_seconds=settings.budget,
            versions=library_versions(),
            process=this_process(),
            settings=settings.to_record(),
        )
        for note in notes:
            journal.record("note", text=note)

    return _work(settings, images, held_out, folder, workspace, progress, begin)


def resume_search(run: str | Run, workspace: Workspace, progress: Progress, began: float) -> Run:
    """Does what `resume` says, `began` being when that was asked for, as `time.time` gives it."""
    found = find_run(workspace, run.id if isinstance(run, Run) else run)
    _require_unfinished(found.id, found.state)
    images, held_out = load_images(found.folder)
    # The budget is of the run's own time: what it has spent counts, when it rested does not.
    settings = SearchSettings.from_record(
        found.record, found.details, began=began - found.record["seconds"]
    )
    check_settings(plugin_manager(), settings)

    def begin(journal: Journal) -> None:
        record = journal.state.record
        _require_unfinished(record["run"], record["state"])  # it may have ended meanwhile
        state = "running" if record["fingerprint"] else "preparing"
        journal.record("run_resumed", state=state, error=None, process=this_process())

    return _work(settings, images, held_out, found.folder, workspace, progress, begin)


def _require_unfinished(run: str, state: str) -> None:
    if state == "completed":
        raise SearchError(
            f"expected a run that has not ended, found {run} completed; search again for another."
        )


def _work(
    settings: SearchSettings,
    images: Dataset,
    held_out: Dataset | None,
    folder: Path,
    workspace: Workspace,
    progress: Progress,
    begin: Callable[[Journal], None],
) -> Run:
    """Does what is left to do of the run in `folder`, which `begin` logs first."""
    manager = plugin_manager()
    cache = Cache(workspace.cache, settings.began)
    sweep(workspace)
    watches = {
        name: manager.observers[name].watch(folder, workspace.root) for name in settings.observers
    }
    journal = Journal(folder, settings.began, progress, watches)
    compute, workers = manager.compute[settings.compute], list[WorkerProcess]()
    try:
        for number in range(settings.workers):
            log, part = folder / f"worker{number or ''}.log", Part(number, settings.workers)
            workers.append(WorkerProcess(compute, log, settings.backend, part))
        with _interrupts() as interrupts:
            begin(journal)
            try:
                _run(settings, images, held_out, workspace, cache, journal, workers, interrupts)
            except BaseException as error:
                with suppress(OSError):  # where the disk is full, it has been said already
                    journal.record("run_finished", state=_final_state(error), error=str(error))
                raise
    finally:
        for worker in workers:
            worker.close()
        compute.close()
        remove_scratch(folder)
        journal.close()
    return Run(folder)


def _run(
    settings: SearchSettings,
    images: Dataset,
    held_out: Dataset | None,
    workspace: Workspace,
    cache: Cache,
    journal: Journal,
    workers: Sequence[WorkerProcess],
    interrupts: Callable[[], int],
) -> None:
    # Keras Tuner, and Keras with it, is imported here: the worker warms up meanwhile.
    from automl.tuning.driver import Driver
    from automl.tuning.finishing import Finishing
    from automl.tuning.trials import Trials

    def stopped() -> bool:
        return interrupts() > 0

    driver = Driver(settings, cache, journal, workers, stopped)
    driver.prepare(images, held_out)
    if journal.state.record["winner"] is None:  # else an earlier process had come that far
        Trials(driver, settings, journal, stopped).run()
    Finishing(driver, settings, workspace, journal, lambda: interrupts() > 1).run()


def _final_state(error: BaseException) -> str:
    return "cancelled" if isinstance(error, (SearchInterrupted, KeyboardInterrupt)) else "failed"


def _dataset(dataset: Dataset | str | os.PathLike[str], workspace: Workspace) -> Dataset:
    return dataset if isinstance(dataset, Dataset) else Dataset.from_source(dataset, workspace)


@contextmanager
def _interrupts() -> Iterator[Callable[[], int]]:
    """Counts Ctrl-C instead of raising: the first keeps the best so far, the second gives up."""
    count = 0

    def handle(number: int, frame: Any) -> None:
        nonlocal count
        count += 1

    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: count
    finally:
        signal.signal(signal.SIGINT, before)
