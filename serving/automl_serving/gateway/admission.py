"""Who may ask, how often, how many at a time, and how much of theirs lies in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from automl_serving.gateway.errors import UnavailableError
from automl_serving.gateway.keys import KeyFile
from automl_serving.gateway.rate_limit import RateLimit
from automl_serving.gateway.settings import GatewaySettings


class Admission:
    """Admits requests, before anything of their bodies is read."""

    def __init__(self, keys: KeyFile | None, settings: GatewaySettings) -> None:
        """Takes the keys, without which anybody is admitted, and the limits."""
        self._keys = keys
        self._limit = RateLimit(settings.rate, settings.burst) if settings.rate else None
        self._most = settings.max_requests
        self._most_bytes = max(settings.max_held_bytes, settings.max_body_bytes)
        self._inside = self._bytes = 0

    @contextmanager
    def admit(self, request: Request) -> Iterator[None]:
        """Admits a request for as long as it is answered; notes its key's name for the log.

        What `hold` has counted for it is given back in the end.

        Raises:
            UnauthorizedError: If its key is missing or wrong.
            TooManyRequestsError: If its key has asked too often.
            UnavailableError: If too many are being answered.
        """
        key = ""
        if self._keys is not None:
            key = self._keys.check(request.headers.get("authorization", ""))
            request.state.log["key"] = key
        if self._limit is not None:
            self._limit.take(key, asyncio.get_running_loop().time())
        if self._inside >= self._most:
            raise UnavailableError(
                f"expected at most {self._most} requests at a time, found more; retry in a moment."
            )
        self._inside += 1
        request.state.held = 0
        try:
            yield
        finally:
            self._inside -= 1
            self._bytes -= request.state.held

    def hold(self, request: Request, size: int, announced: int) -> None:
        """Counts a body, as far as it has come, until its request is answered.

        One for which there is no room is refused as early as that is known. Yet what is announced
        takes no room: who sends nothing would keep it from others.

        Args:
            request: The request, which was admitted.
            size: The bytes that have come.
            announced: How many more are known to come.

        Raises:
            UnavailableError: If the bodies of all requests would have too many bytes.
        """
        more = size - request.state.held
        if self._bytes + more + announced > self._most_bytes:
            raise UnavailableError(
                f"expected room for a body of {size + announced:,} bytes or more, found it taken "
                f"by other requests; retry in a moment."
            )
        self._bytes += more
        request.state.held = size
