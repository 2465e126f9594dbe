"""Clients that are slow or gone, against the servers' HTTP on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from automl_serving import connections, lifecycle

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
REFUSAL = b'{"error": "no HTTP"}'


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once as much as the path says, whatever else comes; for /echo, with the body.

    For /names it is the names of the headers, as they are after the body; /slow takes a moment.
    """
    body, more = b"", scope["path"] in ("/echo", "/names", "/slow")
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(0.02)
    if scope["path"] == "/names":
        body = b" ".join(name for name, _ in scope["headers"])
    if scope["path"][1:].isdecimal():
        body = bytes(int(scope["path"][1:]))
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server that waits for half a second, five between two requests, and its `port`."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    server = lifecycle.http_server(app, 1.0, asyncio.Event(), REFUSAL, idle_seconds=5.0)
    listening = lifecycle.listen("127.0.0.1", 0, "--port")
    thread = threading.Thread(target=lambda: uvloop.run(server.serve([listening])))
    thread.start()
    server.port = listening.getsockname()[1]
    yield server
    server.should_exit = True
    thread.join()


@pytest.fixture
def port(server: Any) -> int:
    """That port."""
    return int(server.port)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


def rest(connection: socket.socket) -> bytes:
    """Returns all that comes until the other side closes."""
    received = b""
    while some := connection.recv(1000):
        received += some
    return received


def drip(connection: socket.socket, byte: bytes) -> None:
    """Sends a byte every tenth of a second until the other side has enough."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < began + 10:
            connection.sendall(byte)
            time.sleep(0.1)
        pytest.fail("the connection is still open")


def test_a_client_that_says_nothing_is_left(port: int) -> None:
    with connect(port) as connection:
        assert connection.recv(100) == b""


def test_whoever_has_just_connected_is_answered_before_the_server_ends(
    server: Any, port: int
) -> None:
    with connect(port) as connection, connect(port) as other:
        other.sendall(REQUEST)
        assert other.recv(1000).startswith(b"HTTP/1.1 200 ")  # so the first one is accepted, too
        server.should_exit = True
        assert other.recv(1000) == b""
        connection.sendall(REQUEST)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert connection.recv(1000) == b""


def test_a_head_that_drips_is_cut_off(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        drip(connection, b"y")


def test_so_is_the_next_one_and_a_body_that_nobody_wants(port: int) -> None:
    for beginning in (
        REQUEST + b"GE",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n",
    ):
        with connect(port) as connection:
            connection.sendall(beginning)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
            drip(connection, b"T")


def test_a_client_that_takes_no_answer_is_left(server: Any) -> None:
    with connect(server.port) as connection:
        connection.sendall(b"GET /50000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        began = time.monotonic()
        while not server.server_state.total_requests or server.server_state.connections:
            assert time.monotonic() < began + 20
            time.sleep(0.05)
        taken = 0
        with contextlib.suppress(ConnectionError):
            while some := len(connection.recv(1 << 20)):
                taken += some
        assert taken < 50_000_000


def test_a_client_that_asks_on_and_takes_no_answer_is_left(server: Any) -> None:
    with connect(server.port) as connection:
        connection.sendall(b"GET /1000000 HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        began = time.monotonic()
        while not server.server_state.total_requests or server.server_state.connections:
            assert time.monotonic() < began + 20
            time.sleep(0.05)


def test_a_slow_client_that_asks_on_has_all_its_answers(server: Any) -> None:
    with connect(server.port) as connection:
        connection.sendall(b"GET /1000000 HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        taken = 0
        while taken < 20_000_000:
            some = len(connection.recv(1 << 18))
            assert some
            taken += some
            time.sleep(0.01)


def test_requests_that_are_in_time_are_answered_on_one_connection(port: int) -> None:
    with connect(port) as connection:
        for _ in range(4):
            time.sleep(0.2)
            for piece in (REQUEST[:9], REQUEST[9:]):
                connection.sendall(piece)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        # Several at once, too.
        connection.sendall(REQUEST * 3)
        answers = b""
        while answers.count(b"HTTP/1.1 200 ") < 3:
            answers += connection.recv(1000)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how many packets came")
@pytest.mark.parametrize(("method", "length"), [(b"GET", 7), (b"HEAD", 0)])
def test_an_answer_comes_in_one_packet(port: int, method: bytes, length: int) -> None:
    with connect(port) as connection:
        for count in range(1, 6):
            connection.sendall(REQUEST.replace(b"GET /", method + b" /7"))
            head, body = connection.recv(1000).split(b"\r\n\r\n")
            assert b"content-length: 7" in head
            assert len(body) == length
            told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
            # tcpi_data_segs_in of Linux' tcp.h
            assert int.from_bytes(told[152:156], sys.byteorder) == count


@pytest.mark.parametrize(
    "head", [REQUEST, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"]
)
def test_a_client_may_take_its_time_between_two_requests_yet_not_for_ever(
    head: bytes, port: int
) -> None:
    body = bytes(9) if b"POST" in head else b""  # nobody wants it, and it is there in time
    with connect(port) as connection:
        for pause in (1.5, 0.0):
            connection.sendall(head)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
            connection.sendall(body)
            time.sleep(pause)
        began = time.monotonic()
        assert connection.recv(1000) == b""
        assert 3 < time.monotonic() - began < 9


def test_after_a_pause_a_head_that_drips_is_cut_off_as_well(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(REQUEST)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        time.sleep(1)
        began = time.monotonic()
        drip(connection, b"G")
        assert time.monotonic() - began < 3.5  # the pause would have lasted for four seconds more


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_body_that_breaks_off_into_something_else_is_no_fault(
    method: bytes, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    head = method + b" / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(port) as connection:
        connection.sendall(head + b"zz\r\n")
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert [one.message for one in caplog.records] == ["Invalid HTTP request received."]


@pytest.mark.parametrize("head", [b"POST / HTTP/1.1\r\nConnection: close", b"POST / HTTP/1.0"])
def test_a_body_that_nobody_wants_leaves_its_answer_alone(
    head: bytes, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 10.0)
    size = 5_000_000
    with connect(port) as connection:
        connection.sendall(b"%b\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (head, size))
        assert connection.recv(9, socket.MSG_PEEK) == b"HTTP/1.1 "  # it is answered already
        connection.sendall(bytes(size))
        assert rest(connection).startswith(b"HTTP/1.1 200 ")


def test_but_not_for_ever(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"POST / HTTP/1.0\r\nHost: x\r\nContent-Length: 999\r\n\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 200 ")
        drip(connection, b"x")


def test_nothing_waits_for_a_client_that_has_gone_amid_a_body(server: Any) -> None:
    with connect(server.port) as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nx")
        time.sleep(0.2)
        (protocol,) = server.server_state.connections
    until(lambda: not server.server_state.connections)
    assert protocol._timer is None


def test_the_end_of_the_server_waits_little_for_a_body_that_nobody_wants(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60.0)
    monkeypatch.setattr(connections, "LAST_SECONDS", 0.2)
    with connect(server.port) as ended, connect(server.port) as open_:
        for connection, word in ((ended, b"close"), (open_, b"keep-alive")):
            head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\nConnection: %b\r\n\r\n"
            connection.sendall(head % word)
            assert connection.recv(9, socket.MSG_PEEK) == b"HTTP/1.1 "
        server.should_exit = True
        until(lambda: not server.server_state.connections)


def until(condition: Callable[[], bool]) -> None:
    """Waits for what is to be so within four seconds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + 4
        time.sleep(0.05)


def test_a_head_without_end_is_refused(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        sent = 0
        while not select.select([connection], [], [], 0.01)[0]:
            connection.sendall(b"y" * 10_000)
            sent += 10_000
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")
        assert sent < 200_000


def test_empty_lines_between_two_requests_hold_no_connection(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(REQUEST)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        drip(connection, b"\r\n")


@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_who_offers_another_protocol_is_answered_in_this_one(port: int, pause: float) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    with connect(port) as connection:
        for body in (b"", b"a picture", b"another"):
            head = b"POST /echo HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n"
            connection.sendall(head % (offer, len(body)))
            time.sleep(pause)
            connection.sendall(body)
            answer = b""
            while not answer.endswith(b"\r\n\r\n" + body):
                answer += connection.recv(1000)
            assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "request_line_and_more",
    [
        b"GET / HTTP/1.1\r\n",  # no Host
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n",
        b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n",
        b"GET / HTTP/0.9\r\nHost: x\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n",
        b"GET  HTTP/1.1\r\nHost: x\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n",  # folded
        b"GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20_000 + b"\r\n",
    ],
)
def test_what_may_be_read_in_several_ways_is_refused(
    request_line_and_more: bytes, port: int
) -> None:
    with connect(port) as connection:
        connection.sendall(request_line_and_more + b"\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 400 ")


def test_a_refused_client_that_is_still_sending_has_its_answer(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"no HTTP\r\n" + bytes(5_000_000))
        assert rest(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(("version", "interim"), [(b"1.1", True), (b"1.0", False)])
def test_who_waits_before_sending_a_body_is_told_to_go_on(
    version: bytes, interim: bool, port: int
) -> None:
    head = b"POST /echo HTTP/%b\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with connect(port) as connection:
        connection.sendall(head % version)
        if interim:
            assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"body")
        answer = connection.recv(1000)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"body")


def test_trailers_are_no_headers(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(
            b"POST /names HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\nx\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
        )
        assert connection.recv(1000).endswith(b"\r\n\r\nhost transfer-encoding")


def test_of_many_requests_at_once_few_are_begun(server: Any) -> None:
    with connect(server.port) as connection:
        connection.sendall(b"GET /9999999 HTTP/1.1\r\nHost: x\r\n\r\n" + REQUEST * 9000)
        until(lambda: bool(server.server_state.connections))
        time.sleep(0.3)
        (protocol,) = server.server_state.connections
        assert len(protocol.pipeline) < 1000
        answers, taken = b"", 0
        while taken < 9001:
            answers = answers[-20:] + connection.recv(1 << 16)
            new = answers.count(b"HTTP/1.1 200 ")
            taken += new
            if new:
                answers = answers[answers.rindex(b"HTTP/1.1 200 ") + 13 :]


@st.composite
def echoes(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Returns a request and the body that its answer has."""
    method = draw(st.sampled_from([b"POST", b"PUT", b"GET", b"DELETE"]))
    parts = draw(st.lists(st.binary(min_size=1, max_size=50_000), max_size=3))
    headers = [b"Host: x"]
    if draw(st.booleans()):
        headers += [b"Connection: keep-alive, Upgrade", b"Upgrade: h2c"]
    if draw(st.booleans()):
        headers.append(b"Transfer-Encoding: chunked")
        sent = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
        trailer = draw(st.sampled_from([b"", b"Upgrade: h2c\r\n"]))
        sent += b"0\r\n" + trailer + b"\r\n"
    else:
        sent = b"".join(parts)
        if sent or draw(st.booleans()):
            headers.append(b"Content-Length: %d" % len(sent))
    headers = draw(st.permutations(headers))
    head = b"\r\n".join([method + b" /echo HTTP/1.1", *headers])
    return head + b"\r\n\r\n" + sent, b"".join(parts)


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    asked=st.lists(echoes(), min_size=1, max_size=6),
    cuts=st.lists(st.floats(0, 1), max_size=5),
    pause=st.sampled_from([0.0, 0.002]),
)
def test_requests_are_answered_in_order_however_they_are_cut(
    asked: list[tuple[bytes, bytes]], cuts: list[float], pause: float, port: int
) -> None:
    sent = b"".join(request for request, _ in asked)
    places = [0, *sorted(int(cut * len(sent)) for cut in cuts), len(sent)]
    with connect(port) as connection:

        def send() -> None:
            for start, stop in itertools.pairwise(places):
                connection.sendall(sent[start:stop])
                time.sleep(pause)

        sending = threading.Thread(target=send)  # while the answers are taken
        sending.start()
        answers = connection.makefile("rb")
        for _, body in asked:
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            while (line := answers.readline()) != b"\r\n":
                name, _, value = line.partition(b": ")
                if name == b"content-length":
                    length = int(value)
            assert answers.read(length) == body
        sending.join()


@pytest.mark.parametrize("path", [b"/", b"/echo"])
def test_trailers_without_end_are_refused(port: int, path: bytes) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" % path
    with connect(port) as connection:
        connection.sendall(head)
        if path == b"/":  # has its answer, whatever comes
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        sent = 0
        while not select.select([connection], [], [], 0.01)[0]:
            connection.sendall(b"t: %b\r\n" % (b"v" * 1000) * 10)
            sent += 10_000
        assert sent < 200_000
        assert rest(connection)[:13] == (b"" if path == b"/" else b"HTTP/1.1 400 ")


@pytest.mark.parametrize("whole", [1, 2, 3])
@pytest.mark.parametrize(
    "broken",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_whole_requests_are_answered_before_what_follows_is_refused(
    whole: int, broken: bytes, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(port) as connection:
        connection.sendall(REQUEST.replace(b"/ ", b"/slow ") * whole + broken)
        answer = rest(connection)
    assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"200"] * whole + [b"400"]
    assert [one.message for one in caplog.records] == ["Invalid HTTP request received."]


def test_of_a_client_that_asks_on_and_on_little_lies_here(server: Any) -> None:
    asked = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(server.port) as connection:
        connection.settimeout(0.02)
        began, most = time.monotonic(), 0
        while time.monotonic() < began + 2:
            with contextlib.suppress(TimeoutError):
                connection.send(asked * 10_000)
            for protocol in server.server_state.connections:
                most = max(most, sum(map(len, protocol._unread)))
            with contextlib.suppress(TimeoutError):
                connection.recv(1 << 20)
        assert 100_000 < most < 1_000_000


def test_an_answer_that_is_the_last_one_stops_no_client_that_sends_on(port: int) -> None:
    last = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with connect(port) as connection:
        connection.sendall(last + b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n")
        connection.sendall(bytes(5_000_000))
        assert re.findall(rb"HTTP/1.1 (\d+) ", rest(connection)) == [b"200"]


def test_a_client_that_takes_no_refusal_is_left(server: Any) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        lying = 0
        while not lying:  # what the server has not got rid of; more of it is another case
            connection.sendall(b"GET /30000 HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.02)
            (protocol,) = server.server_state.connections
            lying = protocol.transport.get_write_buffer_size()
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head)
        time.sleep(0.1)
        connection.sendall(b"zz\r\n")
        until(lambda: not server.server_state.connections)  # an idle one is left after five


def test_what_is_not_http_is_refused_in_json(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = rest(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"application/json" in head
    assert REFUSAL in body
