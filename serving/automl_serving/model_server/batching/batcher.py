"""Collects the rows of requests that wait, and runs them together.

Nothing waits on an idle server: rows are run as soon as a thread is free. While one runs, others
gather; so batches grow with the load, and a lone request is never delayed.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from automl_serving.model_server.batching.parameters import BatchingParameters
from automl_serving.model_server.batching.rows import join, run_together, split
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


@dataclass(frozen=True, eq=False)
class _Piece:
    inputs: Arrays
    rows: int
    since: float
    answer: asyncio.Future[Any]


class _Queue:
    """What waits for one signature of one servable, with one shape of rows."""

    def __init__(self, run: Callable[[Arrays], Arrays]) -> None:
        self.run = run
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
        run_batch: RunInThread,
        observe: Observe = lambda rows, seconds: None,
    ) -> None:
        """Prepares a batcher.

        Args:
            parameters: Limits.
            run: Runs what prepares a request, and its answer, in a thread.
            run_batch: Runs a batch in a thread of its own.
            observe: Is told about each batch.
        """
        self._parameters = parameters
        self._run = run
        self._run_batch = run_batch
        self._observe = observe
        self._queues: dict[object, _Queue] = {}  # in the order in which they are served
        self._running = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

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
            found = await self._in_batches(servable, name, inputs, rows)
        answer: T = await run(lambda: encode(chosen(found, outputs)))
        return answer

    async def _in_batches(self, servable: Servable, name: str, inputs: Arrays, rows: int) -> Arrays:
        loop = asyncio.get_running_loop()
        queue = self._queue(servable, name, inputs)
        since = loop.time()
        most = self._parameters.max_batch_size
        pieces = [
            _Piece(part, len(next(iter(part.values()))), since, loop.create_future())
            for part in split(inputs, rows, most, first=most - queue.rows % most)
        ]
        limit = most * self._parameters.max_enqueued_batches
        if queue.pieces and queue.rows + rows > limit:
            raise QueueFullError(
                f"expected room for {rows} more rows, found {queue.rows} waiting of at most "
                f"{limit}; retry in a moment, or send fewer."
            )
        queue.put(pieces)
        self._start()
        return join(await asyncio.gather(*(piece.answer for piece in pieces)))

    def _queue(self, servable: Servable, name: str, inputs: Arrays) -> _Queue:
        shapes = tuple((key, array.shape[1:]) for key, array in sorted(inputs.items()))
        key = (servable, name, shapes)
        if key not in self._queues:
            self._queues[key] = _Queue(functools.partial(servable.run, name))
        return self._queues[key]

    def _start(self) -> None:
        """Starts batches while threads are free and rows wait that need not wait longer."""
        while self._running < self._parameters.threads:
            key = next((key for key, queue in self._queues.items() if self._is_due(queue)), None)
            if key is None:
                return
            queue = self._queues.pop(key)
            batch = queue.take(self._parameters.max_batch_size)
            if queue.pieces:  # at the end, so that none starves the others
                self._queues[key] = queue
            if batch:
                self._running += 1
                task = asyncio.create_task(self._work(queue, batch))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _is_due(self, queue: _Queue) -> bool:
        if not self._running or queue.rows >= self._parameters.max_batch_size:
            return True
        due = queue.pieces[0].since + self._parameters.batch_timeout_micros / 1e6
        if due <= asyncio.get_running_loop().time():
            return True
        self._wake_at(due)
        return False

    def _wake_at(self, due: float) -> None:
        if self._timer is None or self._timer.when() > due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._start()

    async def _work(self, queue: _Queue, batch: Sequence[_Piece]) -> None:
        waited = asyncio.get_running_loop().time() - batch[0].since
        self._observe(sum(piece.rows for piece in batch), waited)
        work = functools.partial(run_together, queue.run, [piece.inputs for piece in batch])
        try:
            answers = await self._run_batch(work)
        except Exception as error:  # the threads were shut down
            answers = [error] * len(batch)
        self._running -= 1
        for piece, answer in zip(batch, answers, strict=True):
            if piece.answer.done():  # whoever asked has gone
                continue
            if isinstance(answer, Exception):
                piece.answer.set_exception(answer)
            else:
                piece.answer.set_result(answer)
        self._start()
