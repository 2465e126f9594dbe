"""HTTP connections that wait for no client for ever.

The applications limit the time of a body. What is left is a client that opens a connection and
says nothing, or says it a byte at a time; one that does not take its answer; one that asks no
more; and one that asks on and on. What is not HTTP at all is answered here, too, in the words of
the server.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Callable, Sized
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_SECONDS = 10.0
"""How long a request's head may take: from the connection, the last answer or, after a pause, its
first byte on."""

LAST_SECONDS = 1.0
"""How long the head of a connection's first request may take once the server is to end."""

_PIECE = 16 << 10
"""How many bytes are read at a time, and how many may come without the end of a head, or a part of
a body."""


class _Due(enum.Enum):
    """What a client is to send next."""

    REQUEST = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()


class TimedProtocol(HttpToolsProtocol):
    """Closes a connection whose next request, its head or the rest of a refused body is late.

    A client that sends several requests at once is answered one by one: what follows is read
    when there is nothing else to answer.
    """

    def __init__(self, refusal: bytes, idle_seconds: float, *others: Any, **options: Any) -> None:
        """Takes the JSON that answers what is not HTTP, and how long a client may ask no more.

        The others and the options are uvicorn's.
        """
        super().__init__(*others, **options)
        self._refusal, self._idle_seconds = refusal, idle_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._idle = self._last = self._refused = False
        self._due = _Due.REQUEST
        self._unread: deque[bytes] = deque()
        self._useless = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for the first request."""
        self._answers = _WholeAnswers(transport, self._is_to_linger)
        super().connection_made(self._answers)  # type: ignore[arg-type]
        self.flow = _Flow(self._answers, self._unread)
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
        """Reads it, or throws away what comes after the last answer."""
        if not self._answers.ended and not self._refused:
            self._unread.extend(data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
            self._read()

    def _read(self) -> None:
        """Reads until a request has to wait for the answer of another."""
        while self._unread and not self.pipeline and not self.transport.is_closing():
            piece = self._unread.popleft()
            if self._due is _Due.REQUEST:
                self._due = _Due.HEAD  # or empty lines before one
            self._useless += len(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as offer:
                (end,) = offer.args  # of the head
                self._unread.appendleft(self._head_without_offer() + piece[end:])
            except httptools.HttpParserError:
                self._refuse()
            else:
                if self._useless >= _PIECE:
                    self._refuse()
        if self._unread:
            self.flow.pause_reading()
        elif self.cycle is None or self.cycle.response_complete:
            self.flow.resume_reading()  # else the application does when it wants more
        if not self.flow.write_paused and not self.transport.is_closing():
            self._wait_for_next()

    def on_message_begin(self) -> None:
        """Begins a head."""
        self._due = _Due.HEAD
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a head's, and not what comes by this name after a body."""
        if self._due is _Due.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begins a request.

        Raises:
            ValueError: If it is none to a server of HTTP/1, or has more than one meaning.
        """
        self._useless = 0
        if not self._is_plain():
            raise ValueError("no request of HTTP/1 to a server")
        if self.parser.should_upgrade():
            return
        if self.parser.get_http_version() == "1.0":
            self.expect_100_continue = False  # RFC 9110, section 10.1.1
        super().on_headers_complete()
        self._due = _Due.BODY
        if self._last:
            self.cycle.keep_alive = False

    def _is_plain(self) -> bool:
        """Looks at what the parser leaves to servers (RFC 9112, sections 2.3, 3.2 and 6.1)."""
        version = self.parser.get_http_version()
        hosts = sum(name == b"host" for name, _ in self.headers)
        encodings = [v.lower() for name, v in self.headers if name == b"transfer-encoding"]
        return (
            version in ("1.0", "1.1")
            and (hosts == 1 or (version == "1.0" and not hosts))
            and encodings in ([], [b"chunked"])
            and self.parser.get_method() != b"CONNECT"
        )

    def on_body(self, body: bytes) -> None:
        """Takes a part of a body."""
        self._useless = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends a request."""
        if self.parser.should_upgrade():
            return
        self._due = _Due.REQUEST
        self._useless = 0
        super().on_message_complete()

    def _head_without_offer(self) -> bytes:
        """Returns the head of a request that offers another protocol, less its offer.

        The parser stops there, as if that was taken up and no body followed.
        """
        version = self.parser.get_http_version().encode()
        request = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)
        kept = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"".join([request, *kept, b"\r\n"])

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
        self._answers.write(b"")  # for an answer to HEAD no body was
        if not self._answers.ended:
            self._wait(self._late, HEAD_SECONDS)
        is_last = not self.pipeline
        super().on_response_complete()
        self._unset_keepalive_if_required()  # uvicorn's own, which knows no pause after a body
        if self._refused and is_last and not self.transport.is_closing():
            self._answer_refused()
        self._read()

    def _refuse(self) -> None:
        """Answers what is not HTTP, once all that came before it is answered."""
        self.logger.warning("Invalid HTTP request received.")
        self._refused = True
        self._unread.clear()
        if self._due is _Due.BODY:  # what is wrong is the last request itself
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.pipeline:
                self.pipeline.popleft()
            elif self.cycle.response_started:
                self._late()
            else:
                self._answer_refused()
        elif self.cycle is None or self.cycle.response_complete:
            self._answer_refused()

    def _answer_refused(self) -> None:
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(STATUS_LINE[400] + head % len(self._refusal))
        self.transport.write(self._refusal)
        self._due = _Due.BODY  # whatever else comes
        self._late()

    def _wait_for_next(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()  # for that is the application's time
        elif self.cycle is not None and self._due is _Due.REQUEST:
            self._wait(self._late, self._idle_seconds)
            self._idle = True
        elif self._idle:
            self._wait(self._late, HEAD_SECONDS)

    def _is_to_linger(self) -> bool:
        """Waits for the client to take what lies here, and says whether a body is unread."""
        self._unread.clear()
        self.flow.resume_reading()
        self._wait(self.transport.abort, HEAD_SECONDS)
        return self._due is _Due.BODY

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


class _Flow(FlowControl):
    """Takes no more from a client, whoever wants to read, while some of it waits here."""

    def __init__(self, transport: Any, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class _WholeAnswers:
    """A transport by which every answer arrives, and in one piece.

    It sends an answer's head with its body: one packet, and one system call. Whoever writes a head,
    as uvicorn does, writes a body next, be it an empty one.

    A client that is still sending a body when the connection is closed would get an error instead
    of its answer. So it is first told that nothing more comes (RFC 9112, section 9.6).

    Attributes:
        ended: Whether it was told so.
    """

    def __init__(self, transport: asyncio.Transport, is_to_linger: Callable[[], bool]) -> None:
        self._transport, self._head = transport, b""
        self._is_to_linger = is_to_linger
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
        if not self.is_closing() and self._is_to_linger():
            self.ended = True
            self._transport.write_eof()
        else:
            self._transport.close()

    def is_closing(self) -> bool:
        return self.ended or self._transport.is_closing()


def _is_head(data: bytes) -> bool:
    interim = b"HTTP/1.1 1"  # after which there is no body
    return data.startswith(b"HTTP/1.1 ") and not data.startswith(interim)
