"""HTTP connections that wait for no client for ever.

The applications limit the time of a body. What is left is a client that opens a connection and
says nothing, or says it a byte at a time; one that does not take its answer; and one that asks no
more. What is not HTTP at all is answered here, too, in the words of the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
"""How long a request's head may take: from the connection, the last answer or, after a pause, its
first byte on."""

HEAD_BYTES = 64 << 10
"""How long a request's head may be, beside what came with its first byte."""

LAST_SECONDS = 1.0
"""How long the head of a connection's first request may take once the server is to end."""


class TimedProtocol(HttpToolsProtocol):
    """Closes a connection whose next request, its head or the rest of a refused body is late."""

    def __init__(self, refusal: bytes, idle_seconds: float, *others: Any, **options: Any) -> None:
        """Takes the JSON that answers what is not HTTP, and how long a client may ask no more.

        The others and the options are uvicorn's.
        """
        super().__init__(*others, **options)
        self._refusal, self._idle_seconds = refusal, idle_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._idle = self._last = False
        self._reading = False  # whether a request has begun and is not whole
        # Of a head that is read, the bytes that came after the chunk in which it began.
        self._head: int | None = None

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

    def data_received(self, data: bytes) -> None:
        """Waits for whatever is due next from the client."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > HEAD_BYTES and not self.transport.is_closing():
            self.logger.warning("The head of a request was too long.")
            self.send_400_response("")
        self._wait_for_next()

    def on_message_begin(self) -> None:
        """Notes that a request has begun."""
        self._reading, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Notes that its head is whole."""
        self._head = None
        super().on_headers_complete()
        if self._last:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Notes that it is whole."""
        self._reading = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Begins to wait for the client to take what lies here."""
        super().pause_writing()
        self._wait(self.transport.abort, HEAD_SECONDS)

    def resume_writing(self) -> None:
        """Stops waiting for that; an answer that is whole is followed by the next request."""
        super().resume_writing()
        self._wait_for_next()

    def on_response_complete(self) -> None:
        """Begins to wait for the rest of the body, or for the client to take its answer."""
        self._wait(self._late, HEAD_SECONDS)
        super().on_response_complete()
        self._unset_keepalive_if_required()  # uvicorn's own, which knows no pause after a body
        self._wait_for_next()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is not HTTP; a request that was being answered has lost its client then."""
        cycle = self.cycle
        in_body = self._reading and self._head is None
        being_answered = cycle is not None and (in_body or not cycle.response_complete)
        if not being_answered or not cycle.response_started:
            without = being_answered and cycle.scope["method"] == "HEAD"
            self.transport.write(
                b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\nconnection: close\r\n\r\n"
                % len(self._refusal)
                + (b"" if without else self._refusal)
            )
        self.transport.close()
        if being_answered:
            cycle.disconnected = True
            cycle.message_event.set()

    def _unsupported_upgrade_warning(self) -> None:
        """Is silent: some clients ask for HTTP/2 with every request, and do without."""

    def _wait_for_next(self) -> None:
        if self.flow.write_paused or self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()  # for that is the application's time
        elif self.cycle is not None and not self._reading:
            if not self._idle:
                self._wait(self._late, self._idle_seconds)
                self._idle = True
        elif self._idle:
            self._wait(self._late, HEAD_SECONDS)

    def _wait(self, then: Callable[[], None], seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, then)

    def _stop_waiting(self) -> None:
        self._idle = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
        # Closing waits until the client has taken everything.
        self._wait(self.transport.abort, HEAD_SECONDS)
