"""Stops asking a model server that does not answer, and looks again after a while."""

from __future__ import annotations

from automl_serving.gateway.errors import UnavailableError

FAILURES = 5
"""How many in a row it takes."""

SECONDS = 1.0
"""How long nothing is asked then."""


class Breaker:
    """A circuit breaker: closed, open, or trying with one call.

    See Nygard, "Release It!", 2018, chapter 5.
    """

    def __init__(self) -> None:
        """Begins closed."""
        self._failures = 0
        self._closed_from = 0.0
        self._trying = False

    def is_open(self, now: float) -> bool:
        """Says whether calls are refused at this time, in seconds."""
        return self._failures >= FAILURES and (now < self._closed_from or self._trying)

    def enter(self, now: float) -> None:
        """Admits a call, of which `succeeded`, `failed` or `gave_up` must tell the end.

        Raises:
            UnavailableError: If it is open.
        """
        if self.is_open(now):
            raise UnavailableError(
                "expected the model server to answer, found that it has not for a while; retry in "
                "a moment."
            )
        self._trying = self._failures >= FAILURES

    def succeeded(self) -> None:
        """Tells that the model server answered, whatever it said."""
        self._failures, self._trying = 0, False

    def failed(self, now: float) -> None:
        """Tells that it did not answer."""
        self._failures += 1
        self._closed_from, self._trying = now + SECONDS, False

    def gave_up(self) -> None:
        """Tells that nobody waited for the answer."""
        self._trying = False
