"""HTTP connections that wait for no client for ever.

uvicorn limits the time between two requests, and the applications that of a body. What is left
is a client that opens a connection and says nothing, or says it a byte at a time; and one that
does not take its answer. What is not HTTP at all is answered here, too, in the words of the server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""How long a request's head may take, from the connection or the last answer on."""

LAST_SECONDS = 1.0
"""How long the head of a connection's first request may take once the server is to end."""


class TimedProtocol(H11Protocol):
    """Closes a connection whose next request's head, or the rest of a refused body, is late.

    Attributes:
        malformed: The JSON that answers what is not HTTP.
    """

    malformed = b"{}"
    _timer: asyncio.TimerHandle | None = None
    _last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for the first request."""
        super().connection_made(transport)
        self._wait(self._late, HEAD_SECONDS)

    def shutdown(self) -> None:
        """Lets a client that has just connected have its answer, as its request is on its way."""
        if self.cycle is None:
            self._last = True
            self._wait(self._late, LAST_SECONDS)
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Stops waiting once a request's head is there."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and not self.cycle.response_complete:
            if not self.flow.write_paused:
                self._stop_waiting()
            if self._last:
                self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        """Begins to wait for the client to take what lies here."""
        super().pause_writing()
        self._wait(self.transport.abort, HEAD_SECONDS)

    def resume_writing(self) -> None:
        """Stops waiting for that; an answer that is whole is followed by the next request."""
        super().resume_writing()
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Begins to wait for the next request, or for the client to take its answer."""
        self._wait(self._late, HEAD_SECONDS)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is not HTTP; a request that was being answered has lost its client then."""
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        refusal = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        # An answer to HEAD has no body, which h11 holds to; nor is there a second answer.
        with contextlib.suppress(h11.LocalProtocolError):
            for event in (refusal, h11.Data(data=self.malformed), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _wait(self, then: Callable[[], None], seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, then)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
        # Closing waits until the client has taken everything.
        self._wait(self.transport.abort, HEAD_SECONDS)
