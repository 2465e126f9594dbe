"""What the phases of a search share: its images, what was decided and measured, its workers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.cache import Cache
from automl.components import Part
from automl.data.dataset import Dataset
from automl.errors import SearchError, SearchInterrupted
from automl.plugins import plugin_manager
from automl.training.data import sample
from automl.training.judging import folds_to_train
from automl.training.limits import TrialCancelledError
from automl.tuning.backends import EXPORT_BACKEND
from automl.tuning.candidates import find_candidates
from automl.tuning.costs import CostModel
from automl.tuning.decisions import Decisions
from automl.tuning.dimensions import describe_dimensions
from automl.tuning.journal import Journal
from automl.tuning.preparation import Prepared, prepare, typical_side
from automl.tuning.run_data import describe_training_data, save_split
from automl.tuning.scratch import CHECKPOINTS, PROGRESS
from automl.tuning.settings import SearchSettings
from automl.tuning.space import build_space
from automl.tuning.worker_process import WorkerProcess


class Driver:
    """One search.

    Attributes:
        prepared: The run's images, divided.
        costs: What trials take.
        decisions: Which trials there are.
        workers: The processes that train.
        turn: Held while something is decided or logged, so that the log tells the order of both;
            notified when a trial ends.
    """

    def __init__(
        self,
        settings: SearchSettings,
        cache: Cache,
        journal: Journal,
        workers: Sequence[WorkerProcess],
        stopped: Callable[[], bool],
    ) -> None:
        self.workers, self.turn = workers, threading.Condition()
        self._decoding = threading.Lock()
        self._settings, self._manager, self._cache = settings, plugin_manager(), cache
        self._journal, self._stopped = journal, stopped
        self.prepared: Prepared
        self.costs: CostModel
        self.decisions: Decisions

    def prepare(self, dataset: Dataset, test: Dataset | None) -> None:
        """Declares the space, decodes the images and divides them."""
        settings = self._settings
        side, begun = typical_side(dataset), time.monotonic()
        candidates, notes = find_candidates(self._manager, settings.pins, side)
        self._space = build_space(self._manager, candidates, settings.pins, side)
        resolution = int(self._space.values["resolution"])
        self.prepared = prepare(
            dataset, test, resolution, settings.seed, self._cache, self._show_decoding
        )
        prepared, folds = self.prepared, self.prepared.folds
        self.costs = CostModel(
            self._manager,
            len(prepared.train),
            len(folds),
            folds_to_train(folds),
            settings.limited,
            settings.workers,
        )
        self.decisions = Decisions(
            self._manager.strategies[settings.strategy],
            settings,
            self._space,
            self.costs,
            len(prepared.test),
        )
        if self._journal.state.record["fingerprint"]:
            self._go_on()
            return
        save_split(
            self._journal.folder,
            prepared.train,
            prepared.images.y[prepared.train],
            prepared.test,
            folds,
        )
        self._learn_decoding(resolution, begun)
        paths = prepared.images.paths
        unreadable = [
            {"path": paths[row], "reason": why} for row, why in prepared.unreadable.items()
        ]
        self._journal.record(
            "prepared",
            labels=prepared.images.labels,
            counts=prepared.counts(),
            unreadable=unreadable,
            fingerprint=prepared.fingerprint,
            dimensions=describe_dimensions(self._space),
        )
        for note in [*prepared.notes, *notes]:
            self._journal.record("note", text=note)

    @property
    def worker(self) -> WorkerProcess:
        """The first worker, which does what is done by one alone."""
        return self.workers[0]

    def log(self, event: str, **fields: Any) -> None:
        """Logs an event, and takes it into account."""
        with self.turn:
            self.decisions.learn(self._journal.record(event, **fields))

    def show(self, event: dict[str, Any]) -> None:
        """Shows an event that is not worth logging."""
        with self.turn:
            self._journal.show(event)

    @property
    def checkpoints(self) -> Path:
        """The folder that keeps what the best trial has trained, under its name."""
        return self._journal.folder / CHECKPOINTS

    def checkpoint(self, trial: str) -> Path:
        """Returns the folder that keeps what a trial has trained, while it is the best."""
        return self.checkpoints / trial

    def progress(self, training: str) -> Path:
        """Returns the folder that keeps how far a training has come, until it ends."""
        return self._journal.folder / PROGRESS / training

    def refit_fits(self, values: Mapping[str, Any]) -> bool:
        """Says whether there is time to train a configuration on all images."""
        if self._settings.budget is None:
            return True
        needed = self.costs.refit_seconds(values)
        needed += self.costs.finish_seconds(values, len(self.prepared.test))
        return needed <= self._settings.budget - self.elapsed()

    def training_data(
        self,
        values: Mapping[str, Any],
        stopped: Callable[[], bool] = lambda: False,
        held_out: bool = False,
    ) -> dict[str, Any]:
        """Returns what a worker needs to train a configuration.

        Args:
            values: The configuration.
            stopped: Says whether the search was stopped.
            held_out: Whether the pixels have to hold all images, also those that are held out.

        Raises:
            TrialCancelledError: If the search was stopped while images had to be decoded.
        """
        prepared, seed = self.prepared, self._settings.seed
        side, share = int(values["resolution"]), float(values["share"])
        rows = None
        if share < 1 and not held_out and not self.costs.knows_decoding(side):
            train = prepared.train
            rows = train[sample(prepared.images.y[train], share, seed)]
        total = len(prepared.images if rows is None else rows)

        def progress(done: int) -> None:
            if stopped():
                raise TrialCancelledError("expected to end by itself, found that it was stopped.")
            self.show({"event": "decoding", "done": done, "total": total})

        with self._decoding:
            begun = time.monotonic()
            pixels = prepared.pixels(side, progress, rows)
        if rows is None:
            self._learn_decoding(side, begun)
        return describe_training_data(
            self._journal.folder,
            pixels,
            len(prepared.images.labels),
            self._cache,
            seed,
            share,
            alone=rows is not None,
        )

    def gather(self) -> None:
        """Leaves one worker, with all that there is; the trials are over."""
        if len(self.workers) > 1:
            for worker in self.workers:
                worker.close()
            self.worker.part = Part()

    @contextlib.contextmanager
    def exporter(self, worker: WorkerProcess) -> Iterator[WorkerProcess]:
        """Gives one that can export, which takes the TensorFlow backend: `worker`, or another."""
        if worker.backend == EXPORT_BACKEND:
            yield worker
            return
        compute = self._manager.compute[self._settings.compute]
        other = WorkerProcess(compute, self._journal.folder / "export.log", EXPORT_BACKEND)
        try:
            yield other
        finally:
            other.close()

    def _go_on(self) -> None:
        """Takes up what an earlier process has logged.

        Raises:
            SearchError: If the images are not the ones that it worked on.
        """
        if self.prepared.fingerprint != self._journal.state.record["fingerprint"]:
            raise SearchError(
                "expected the images that the run began with, found that some have changed since; "
                "start a new search."
            )
        for event in self._journal.past:
            self.decisions.replay(event)

    def elapsed(self) -> float:
        """Returns seconds since the run began, without those that it rested."""
        return round(time.time() - self._settings.began, 3)

    def _learn_decoding(self, side: int, begun: float) -> None:
        """Logs what decoding took; only the first time at a resolution tells anything."""
        if not self.costs.knows_decoding(side):
            seconds = round(time.monotonic() - begun, 3)
            self.log("decoded", resolution=side, seconds=seconds)

    def _show_decoding(self, done: int, total: int) -> None:
        if self._stopped():
            raise SearchInterrupted(
                "expected to read all images first, found that the search was stopped before; "
                "nothing was kept, start it again."
            )
        self.show({"event": "decoding", "done": done, "total": total})
