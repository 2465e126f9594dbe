"""Sends images that wait for the model server in one call.

A call costs both sides about as much for one image as for several. So a few are under way at a
time; what comes meanwhile gathers, and goes together with the next one. Nothing waits while the
model server keeps up, and calls grow with the load.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = tuple[NDArray[np.float32], NDArray[np.float32]]
    """Probabilities and logits, `[N, classes]`."""

    Call = Callable[[NDArray[np.uint8], float], Awaitable[Scores]]

MOST_IMAGES = 16
_MOST_BYTES = 16 << 20


@dataclass(frozen=True, eq=False)
class _Waiting:
    images: NDArray[np.uint8]
    deadline: float
    answer: asyncio.Future[Scores]


class Joining:
    """Classifies images of several requests together."""

    def __init__(self, call: Call, most: int) -> None:
        """Takes what classifies images by a deadline, and how many calls may be under way."""
        self._call, self._most = call, most
        self._waiting: deque[_Waiting] = deque()
        self._calls: set[asyncio.Task[None]] = set()

    async def __call__(self, images: NDArray[np.uint8], deadline: float) -> Scores:
        """Classifies images, in one call or, if they are many, in several.

        Args:
            images: uint8 `[N, H, W, 3]`, 1 or more; of one size in all calls.
            deadline: When the answer is due, in the event loop's time.

        Returns:
            Probabilities and logits, float32 `[N, classes]`.

        Raises:
            GatewayError: If a call fails.
        """
        loop = asyncio.get_running_loop()
        room = _room(images)
        mine = [
            _Waiting(images[start : start + room], deadline, loop.create_future())
            for start in range(0, len(images), room)
        ]
        self._waiting.extend(mine)
        self._send()
        answers = await asyncio.gather(*(one.answer for one in mine))
        probabilities, logits = zip(*answers, strict=True)
        return np.concatenate(probabilities), np.concatenate(logits)

    def _send(self) -> None:
        while self._waiting and len(self._calls) < self._most:
            together = self._take()
            if together:
                call = asyncio.create_task(self._answer(together))
                self._calls.add(call)
                call.add_done_callback(self._ended)

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._send()

    def _take(self) -> list[_Waiting]:
        """Removes the first, as many as fit into a call, and returns those still waited for."""
        taken: list[_Waiting] = []
        room = _room(self._waiting[0].images)
        while self._waiting and len(self._waiting[0].images) <= room:
            one = self._waiting.popleft()
            if not one.answer.done():
                taken.append(one)
                room -= len(one.images)
        return taken

    async def _answer(self, together: list[_Waiting]) -> None:
        # All were given as much time when they came; whose time is up has stopped to wait.
        deadline = max(one.deadline for one in together)
        try:
            probabilities, logits = await self._call(_joined(together), deadline)
        except Exception as error:
            for one in together:
                if not one.answer.done():
                    one.answer.set_exception(error)
            return
        start = 0
        for one in together:
            stop = start + len(one.images)
            if not one.answer.done():
                one.answer.set_result((probabilities[start:stop], logits[start:stop]))
            start = stop


def _room(images: NDArray[np.uint8]) -> int:
    """Returns how many such images a call may have."""
    size: int = images[0].nbytes
    return max(1, min(MOST_IMAGES, _MOST_BYTES // size))


def _joined(together: list[_Waiting]) -> NDArray[np.uint8]:
    if len(together) == 1:
        return together[0].images
    return np.concatenate([one.images for one in together])
