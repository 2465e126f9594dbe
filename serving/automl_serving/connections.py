"""HTTP connections that wait for no client for ever.

The applications limit the time of a body. What is left is a client that opens a connection and
says nothing, or says it a byte at a time; one that does not take its answer; and one that asks no
more. What is not HTTP at all is answered here, too, in the words of the server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""How long a request's head may take: from the connection, the last answer or, after a pause, its
first byte on."""

LAST_SECONDS = 1.0
"""How long the head of a connection's first request may take once the server is to end."""


class TimedProtocol(H11Protocol):
    """Closes a connection whose next request, its head or the rest of a refused body is late."""

    def __init__(self, refusal: bytes, idle_seconds: float, *others: Any, **options: Any) -> None:
        """Takes the JSON that answers what is not HTTP, and how long a client may ask no more.

        The others and the options are uvicorn's.
        """
        super().__init__(*others, **options)
        self._refusal, self._idle_seconds = refusal, idle_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._idle = self._last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for the first request."""
        self._answers = _WholeAnswers(transport, self._begins_to_linger)
        super().connection_made(self._answers)  # type: ignore[arg-type]
        self._wait(self._late, HEAD_SECONDS)

    def shutdown(self) -> None:
        """Lets a client that has just connected have its answer, as its request is on its way."""
        if self.cycle is None:
            self._last = True
            self._wait(self._late, LAST_SECONDS)
            return
        if not self._answers.ended:
            super().shutdown()
        if self._answers.ended:
            self._wait(self.transport.abort, LAST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Throws away what comes after the last answer."""
        if not self._answers.ended:
            super().data_received(data)

    def handle_events(self) -> None:
        """Waits for whatever is due next from the client."""
        super().handle_events()
        if self._last and self.cycle is not None:
            self.cycle.keep_alive = False
        if not self.flow.write_paused and not self.transport.is_closing():
            self._wait_for_next()

    def pause_writing(self) -> None:
        """Begins to wait for the client to take what lies here."""
        super().pause_writing()
        self._wait(self.transport.abort, HEAD_SECONDS)

    def resume_writing(self) -> None:
        """Stops waiting for that; an answer that is whole is followed by the next request."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._wait_for_next()

    def on_response_complete(self) -> None:
        """Begins to wait for the rest of the body, or for the client to take its answer."""
        if not self._answers.ended:
            self._wait(self._late, HEAD_SECONDS)
        super().on_response_complete()
        self._unset_keepalive_if_required()  # uvicorn's own, which knows no pause after a body

    def send_400_response(self, msg: str) -> None:
        """Refuses what is not HTTP; a request that was being answered has lost its client then."""
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        refusal = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        # An answer to HEAD has no body, which h11 holds to; nor is there a second answer.
        with contextlib.suppress(h11.LocalProtocolError):
            for event in (refusal, h11.Data(data=self._refusal), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self._late()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _wait_for_next(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()  # for that is the application's time
        elif self.cycle is not None and self._between_requests():
            self._wait(self._late, self._idle_seconds)
            self._idle = True
        elif self._idle:
            self._wait(self._late, HEAD_SECONDS)

    def _between_requests(self) -> bool:
        return self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    def _begins_to_linger(self) -> bool:
        """Waits for the end of a body that is unread, and says whether there is one."""
        unread = self.conn.their_state is h11.SEND_BODY
        if unread:
            self.flow.resume_reading()
            self._wait(self.transport.abort, HEAD_SECONDS)
        return unread

    def _wait(self, then: Callable[[], None], seconds: float) -> None:
        self._stop_waiting()
        self._idle = False
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


class _WholeAnswers:
    """A transport by which every answer arrives, and in one piece.

    It sends an answer's head with its body: one packet, and one system call. Whoever writes a head,
    as uvicorn does, writes a body next, be it an empty one.

    A client that is still sending a body when the connection is closed would get an error instead
    of its answer. So it is first told that nothing more comes (RFC 9112, section 9.6).

    Attributes:
        ended: Whether it was told so.
    """

    def __init__(self, transport: asyncio.Transport, begins_to_linger: Callable[[], bool]) -> None:
        self._transport, self._head = transport, b""
        self._begins_to_linger = begins_to_linger
        self.ended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._head and _is_head(data):
            self._head = data
        elif data := self._head + data:
            self._head = b""
            self._transport.write(data)

    def close(self) -> None:
        self.write(b"")
        if not self.is_closing() and self._begins_to_linger():
            self.ended = True
            self._transport.write_eof()
        else:
            self._transport.close()

    def is_closing(self) -> bool:
        return self.ended or self._transport.is_closing()


def _is_head(data: bytes) -> bool:
    interim = b"HTTP/1.1 1"  # after which there is no body
    return data.startswith(b"HTTP/1.1 ") and not data.startswith(interim)
