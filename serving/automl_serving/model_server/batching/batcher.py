"""Collects the rows of requests that wait, and runs them together.

Nothing waits on an idle server: rows are run as soon as a thread is free. While one runs, others
gather; so batches grow with the load, and a lone request is never delayed. A thread that has run a
batch takes the next one by itself, without a trip to the event loop; and a lone row of a quick
model is run on the loop, without a trip to a thread.
"""

from __future__ import annotations

import asyncio
import functools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from automl_serving.model_server.batching.parameters import BatchingParameters
from automl_serving.model_server.batching.rows import count, join, run_together, split
from automl_serving.model_server.errors import QueueFullError
from automl_serving.model_server.execution import RunInThread, chosen
from automl_serving.model_server.servable import Servable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]

T = TypeVar("T")

Observe = Callable[[int, float], None]
"""Is told the rows of each batch that starts, and the seconds that its first rows waited."""

_QUICK = 0.02
"""For how many seconds a run may hold up the event loop. A trip to a thread and back takes a
quarter of a millisecond."""

_MOMENT = 0.001
"""Within how many seconds after a run the requests are read that came while it held up the loop."""


@dataclass(frozen=True)
class _Run:
    """A run that has ended: of which kind of rows, when, and how long it took, in seconds."""

    kind: object = None
    ended: float = -math.inf
    took: float = math.inf


@dataclass(frozen=True, eq=False)
class _Piece:
    inputs: Arrays
    rows: int
    since: float
    answer: asyncio.Future[Any]


class _Queue:
    """What waits for one signature of one servable, with one shape of rows."""

    def __init__(self, kind: object, run: Callable[[Arrays], Arrays]) -> None:
        self.kind, self.run = kind, run
        self.pieces: deque[_Piece] = deque()
        self.rows = 0

    def put(self, pieces: Sequence[_Piece]) -> None:
        self.pieces.extend(pieces)
        self.rows += sum(piece.rows for piece in pieces)

    def take(self, most: int) -> list[_Piece]:
        """Removes the first pieces, as many as fit, and returns those that somebody waits for."""
        taken: list[_Piece] = []
        room = most
        while self.pieces and (not taken or self.pieces[0].rows <= room):
            piece = self.pieces.popleft()
            self.rows -= piece.rows
            if not piece.answer.done():
                taken.append(piece)
                room -= piece.rows
        return taken


async def _run_here(function: Callable[[], Any]) -> Any:
    """Is a `RunInThread` for what is not worth one."""
    return function()


class Batcher:
    """Answers predict requests in batches; a `Predict`."""

    def __init__(
        self,
        parameters: BatchingParameters,
        run: RunInThread,
        pool: Executor,
        observe: Observe = lambda rows, seconds: None,
    ) -> None:
        """Prepares a batcher.

        Args:
            parameters: Limits.
            run: Runs what prepares a request, and its answer, in a thread.
            pool: Has a thread for each batch that may run at a time.
            observe: Is told about each batch, in its thread.
        """
        self._parameters = parameters
        self._run = run
        self._pool = pool
        self._observe = observe
        self._lock = threading.Lock()  # of the next two, which the threads share with the loop
        self._queues: dict[object, _Queue] = {}  # in the order in which they are served
        self._running = 0
        self._last = _Run()
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(
        self,
        servable: Servable,
        name: str,
        decode: Callable[[], Arrays],
        encode: Callable[[Arrays], T],
        outputs: Collection[str] = (),
        small: bool = False,
    ) -> T:
        """Answers a request; see `Predict`."""
        run = _run_here if small else self._run

        def prepare() -> Arrays:
            inputs = decode()
            servable.check(name, inputs, outputs)
            return inputs

        inputs = await run(prepare)
        rows = servable.rows(name, inputs)
        if rows is None:
            found = await self._run(functools.partial(servable.run, name, inputs))
        else:
            kind = _kind(servable, name, inputs)
            if small and rows == 1 and self._is_lone_and_quick(kind):
                found = self._here(servable, name, inputs, kind)
            else:
                found = await self._in_batches(servable, name, inputs, rows, kind)
        answer: T = await run(lambda: encode(chosen(found, outputs)))
        return answer

    def _is_lone_and_quick(self, kind: object) -> bool:
        """Says whether a row is likely to be alone, and to take little time."""
        last = self._last
        return (
            not self._running
            and not self._queues
            and last.kind == kind
            and last.took <= _QUICK
            and time.monotonic() - last.ended > _MOMENT
        )

    def _here(self, servable: Servable, name: str, inputs: Arrays, kind: object) -> Arrays:
        run = functools.partial(servable.run, name)
        (answer,) = self._timed(kind, run, [inputs], time.monotonic())
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _timed(
        self,
        kind: object,
        run: Callable[[Arrays], Arrays],
        pieces: Sequence[Arrays],
        since: float,
    ) -> list[Arrays | Exception]:
        """Runs a batch whose first rows have waited since then."""
        begun = time.monotonic()
        self._observe(sum(map(count, pieces)), begun - since)
        answers = run_together(run, pieces)
        ended = time.monotonic()
        self._last = _Run(kind, ended, ended - begun)
        return answers

    async def _in_batches(
        self, servable: Servable, name: str, inputs: Arrays, rows: int, kind: object
    ) -> Arrays:
        loop = asyncio.get_running_loop()
        since = time.monotonic()
        most = self._parameters.max_batch_size
        limit = most * self._parameters.max_enqueued_batches
        with self._lock:
            queue = self._queue(servable, name, kind)
            if queue.pieces and queue.rows + rows > limit:
                raise QueueFullError(
                    f"expected room for {rows} more rows, found {queue.rows} waiting of at most "
                    f"{limit}; retry in a moment, or send fewer."
                )
            pieces = [
                _Piece(part, count(part), since, loop.create_future())
                for part in split(inputs, rows, most, first=most - queue.rows % most)
            ]
            queue.put(pieces)
        self._start()
        return join(await asyncio.gather(*(piece.answer for piece in pieces)))

    def _queue(self, servable: Servable, name: str, kind: object) -> _Queue:
        key = servable, kind
        if key not in self._queues:
            self._queues[key] = _Queue(kind, functools.partial(servable.run, name))
        return self._queues[key]

    def _start(self) -> None:
        """Has free threads run what is due now, and comes again when more is."""
        with self._lock:
            while self._running < self._parameters.threads and (work := self._take()):
                self._pool.submit(self._work, *work)
            due = min(map(self._due, self._queues.values()), default=None)
            free = self._running < self._parameters.threads
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None and free:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(due - time.monotonic(), self._start)

    def _take(self) -> tuple[_Queue, list[_Piece]] | None:
        """Removes a batch that is due, if there is one, and counts it as running."""
        now = time.monotonic()
        while key := next(
            (key for key, each in self._queues.items() if self._due(each) <= now), None
        ):
            queue = self._queues.pop(key)
            batch = queue.take(self._parameters.max_batch_size)
            if queue.pieces:  # at the end, so that none starves the others
                self._queues[key] = queue
            if batch:
                self._running += 1
                return queue, batch
        return None

    def _due(self, queue: _Queue) -> float:
        """Returns when rows that wait need not wait longer, in the time of `time.monotonic`."""
        if not self._running or queue.rows >= self._parameters.max_batch_size:
            return 0.0
        return queue.pieces[0].since + self._parameters.batch_timeout_micros / 1e6

    def _work(self, queue: _Queue, batch: Sequence[_Piece]) -> None:
        """Runs a batch, and what is due after it; in a thread."""
        work: tuple[_Queue, Sequence[_Piece]] | None = queue, batch
        while work:
            queue, batch = work
            pieces = [piece.inputs for piece in batch]
            answers = self._timed(queue.kind, queue.run, pieces, batch[0].since)
            with self._lock:
                self._running -= 1
                work = self._take()
                early = not work and bool(self._queues)
            loop = batch[0].answer.get_loop()
            loop.call_soon_threadsafe(_tell, batch, answers)
        if early:
            loop.call_soon_threadsafe(self._start)


def _kind(servable: Servable, name: str, inputs: Arrays) -> object:
    """Returns what rows have in common that go together."""
    shapes = tuple((key, array.shape[1:]) for key, array in sorted(inputs.items()))
    return servable.name, servable.version, name, shapes


def _tell(batch: Sequence[_Piece], answers: Sequence[Arrays | Exception]) -> None:
    for piece, answer in zip(batch, answers, strict=True):
        if piece.answer.done():  # whoever asked has gone
            continue
        if isinstance(answer, Exception):
            piece.answer.set_exception(answer)
        else:
            piece.answer.set_result(answer)
