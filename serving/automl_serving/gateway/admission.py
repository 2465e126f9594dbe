"""Who may ask, how often, and how many at a time."""

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
        self._inside = 0

    @contextmanager
    def admit(self, request: Request) -> Iterator[None]:
        """Admits a request for as long as it is answered; notes its key's name for the log.

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
        try:
            yield
        finally:
            self._inside -= 1
