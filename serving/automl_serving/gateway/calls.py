"""Calls to the model server: each by its deadline, again where safe, none where hopeless."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import grpc

from automl_serving.gateway.breaker import Breaker
from automl_serving.gateway.errors import DeadlineError, UpstreamError

_SHARE = 0.1
"""How many calls there may be again, for each that is made: more would bury a server that is
about to recover."""

_MOST = 10.0
_PAUSE = 0.05

_SILENT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


class Calls:
    """Calls methods of one model server.

    Attributes:
        breaker: Stops them while it does not answer.
        retries: How many were made again.
    """

    def __init__(self) -> None:
        """Begins with a few retries to spend."""
        self.breaker = Breaker()
        self.retries = 0
        self._budget = _MOST / 2

    async def call(self, method: Any, request: Any, deadline: float) -> Any:
        """Calls a method that changes nothing at the server.

        One that could not be delivered (UNAVAILABLE) is called once more, if few were lately.

        Args:
            method: Of a gRPC stub.
            request: Its message.
            deadline: In the event loop's time; the server is told what is left of it.

        Raises:
            grpc.aio.AioRpcError: If the answer is an error.
            DeadlineError: If there is no time left.
            UpstreamError: If the answer is no message of the method's.
            UnavailableError: If the server has not answered for a while.
        """
        loop = asyncio.get_running_loop()
        self._budget = min(_MOST, self._budget + _SHARE)
        for again in (True, False):
            left = deadline - loop.time()
            if left <= 0:
                raise DeadlineError(
                    "expected time left for the model server, found none; retry later or send "
                    "fewer images."
                )
            self.breaker.enter(loop.time())
            try:
                answer = await method(request, timeout=left)
            except grpc.aio.AioRpcError as error:
                if error.code() in _SILENT:
                    self.breaker.failed(loop.time())
                else:
                    self.breaker.succeeded()
                if not again or error.code() != grpc.StatusCode.UNAVAILABLE or self._budget < 1:
                    raise
            except asyncio.CancelledError:
                self.breaker.gave_up()
                raise
            else:
                self.breaker.succeeded()
                if answer is None:  # what gRPC makes of bytes that are no message
                    raise UpstreamError(
                        "expected a message from the model server, found other bytes; check what "
                        "--upstream names."
                    )
                return answer
            self._budget -= 1
            self.retries += 1
            await asyncio.sleep(random.uniform(0, _PAUSE))
        raise AssertionError("the second call returns or raises")
