"""Sends images that wait for the model server in one call.

A call costs both sides about as much for one image as for several. So a few are under way at a
time; what comes meanwhile gathers, and goes together with the next one. Nothing waits while the
model server keeps up, and calls grow with the load. How far is limited: the images of a call are
answered together, and of few large calls all may be on their way while cores are idle.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Scores = tuple[NDArray[np.float32], NDArray[np.float32]]
    """Probabilities and logits: of an image `[classes]`, of several `[N, classes]`."""

    Call = Callable[[Sequence[Image], float], Awaitable[Scores]]

_MOST_BYTES = 16 << 20
"""Of a call's images."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    image: Image
    deadline: float
    answer: asyncio.Future[Scores]


class Joining:
    """Classifies images that are given one by one, several in a call."""

    def __init__(self, call: Call, most: int, images: int) -> None:
        """Prepares to call.

        Args:
            call: Classifies images by a deadline.
            most: How many calls may be under way.
            images: How many a call may have.
        """
        self._call, self._most, self._images = call, most, images
        self._waiting: deque[_Waiting] = deque()
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """Whether no image is with what classifies, or waits for it."""
        return not self._waiting and not self._under_way

    async def __call__(self, image: Image, deadline: float) -> Scores:
        """Classifies an image.

        Args:
            image: uint8 `[H, W, 3]`; of one size in all calls.
            deadline: When the answer is due, in the event loop's time.

        Returns:
            Probabilities and logits, float32 `[classes]`.

        Raises:
            GatewayError: If the call fails.
        """
        if self._waiting or self._under_way == self._most:
            one = _Waiting(image, deadline, asyncio.get_running_loop().create_future())
            self._waiting.append(one)
            return await one.answer
        self._under_way += 1
        try:
            probabilities, logits = await self._call([image], deadline)
        finally:
            self._ended()
        return probabilities[0], logits[0]

    def _ended(self) -> None:
        """Puts what waits in the place of a call."""
        self._under_way -= 1
        while self._waiting and self._under_way < self._most:
            together = self._take()
            if together:
                self._under_way += 1
                task = asyncio.create_task(self._answer(together))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _take(self) -> list[_Waiting]:
        """Removes the first, as many as fit into a call, and returns those still waited for."""
        taken: list[_Waiting] = []
        room = max(1, min(self._images, _MOST_BYTES // self._waiting[0].image.nbytes))
        while self._waiting and len(taken) < room:
            one = self._waiting.popleft()
            if not one.answer.done():
                taken.append(one)
        return taken

    async def _answer(self, together: Sequence[_Waiting]) -> None:
        # All were given as much time when they came; whose time is up has stopped to wait.
        deadline = max(one.deadline for one in together)
        try:
            scores = await self._call([one.image for one in together], deadline)
        except Exception as error:
            for one in together:
                if not one.answer.done():
                    one.answer.set_exception(error)
            return
        finally:
            self._ended()
        for one, probabilities, logits in zip(together, *scores, strict=True):
            if not one.answer.done():
                one.answer.set_result((probabilities, logits))
