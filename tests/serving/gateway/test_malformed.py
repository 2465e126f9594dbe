"""Requests as a fuzzer makes them: none crashes the gateway, none is a 500, none learns of it."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEY = b"a-key-of-the-tests"
INSIDE = (b"Traceback", b".py", b"Errno", b"/tmp", b"automl_serving", b"Exception")

paths = st.sampled_from(
    [
        "/",
        "/v1/score",
        "/healthz",
        "/metrics",
        "/openapi.json",
        "/v1/models/colours",
        "/v1/models/colours:predict",
        "/v1/models/colours/versions/1:predict",
        "/v1/../etc",
        "/v1/models/colours/metadata",
        "/v1/models/colours/labels/x",
        "/v1/models//:predict",
    ]
) | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30).map("/".__add__)
methods = st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "X", "get"])
types = st.sampled_from(
    [
        "application/json",
        "application/json; charset=x",
        "multipart/form-data; boundary=b",
        "multipart/form-data; boundary=",
        "text/plain",
        "multipart/form-data",
    ]
) | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
words = st.sampled_from(
    [
        "images",
        "b64",
        "url",
        "parameters",
        "top_k",
        "add_softmax",
        "image_in_base64",
        "instances",
        "inputs",
        "signature_name",
        "encoded_images",
    ]
)
values = st.recursive(
    scalars | st.sampled_from(["AAAA", "b'AAAA'", "http://127.0.0.1/", "serving_default"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
bodies = (
    values.map(lambda value: json.dumps(value).encode())
    | st.integers(1, 5000).map(lambda depth: b'{"instances":' + b"[" * depth + b"]" * depth + b"}")
    | st.binary(max_size=60)
    | st.binary(max_size=60).map(
        lambda content: (
            b'--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n'
            + content
            + b"\r\n--b--\r\n"
        )
    )
)
junk = st.sampled_from(
    [
        b"",
        b"X: \x00",
        b"Content-Length: 5, 6",
        b"Content-Length: -1",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"X-Request-Id: a\tb",
        b"Authorization: Bearer \xff",
        b": x",
        b"X",
        b"Connection: upgrade\r\nUpgrade: websocket",
        b"Host: a\r\nHost: b",
    ]
) | st.binary(max_size=20)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Draws a request that is almost right, or wrong throughout."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(min_size=1, max_size=200)) + b"\r\n\r\n"
    body = draw(bodies)
    head = [f"{draw(methods)} {draw(paths)} HTTP/1.1".encode(), b"Host: x", b"Connection: close"]
    head.append(b"Authorization: Bearer " + (KEY if draw(st.integers(0, 9)) else b"wrong"))
    head.append(b"Content-Type: " + draw(types).encode("latin-1"))
    head.append(b"Content-Length: %d" % len(body))
    if draw(st.integers(0, 4)) == 0:
        head.insert(draw(st.integers(1, len(head))), draw(junk))
    request = b"\r\n".join(head) + b"\r\n\r\n" + body
    if draw(st.integers(0, 9)) == 0:
        request = request[: draw(st.integers(0, len(request)))]
    return request


def answer(port: int, request: bytes) -> bytes:
    """Sends the bytes and returns all that comes back; says no more once nothing comes."""
    with socket.create_connection(("127.0.0.1", port), 0.1) as connection:
        chunks = []
        with contextlib.suppress(ConnectionError):  # refused before it was read to its end
            connection.sendall(request)
            while True:
                try:
                    chunk = connection.recv(65536)
                except TimeoutError:  # it waits for the rest of the request
                    connection.settimeout(20)
                    connection.shutdown(socket.SHUT_WR)
                    continue
                if not chunk:
                    break
                chunks.append(chunk)
        return b"".join(chunks)


def check(port: int, request: bytes) -> None:
    told = answer(port, request)
    if told:
        first = told.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        status = int(first[9:12])
        assert first.startswith(b"HTTP/1.1 ")
        assert status < 500 or (status == 501 and b"unimplemented" in told), told
        if b" /metrics " not in request and b" / " not in request:
            assert not any(word in told for word in INSIDE), told


@pytest.fixture(scope="module")
def port(gateway: Any) -> Iterator[int]:
    yield gateway.ready["port"]
    # It is there yet, and has found no fault in itself.
    assert answer(gateway.ready["port"], b"GET /readyz HTTP/1.0\r\nHost: x\r\n\r\n").startswith(
        b"HTTP/1.1 200 "
    )
    assert "a request failed" not in gateway.log.read_text()


def test_what_is_not_http_is_refused_as_everything_else_is(port: int) -> None:
    told = answer(port, b"\x16\x03\x01 a handshake\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 400 ")
    error = json.loads(told.partition(b"\r\n\r\n")[2])["error"]
    assert error["code"] == "bad_request"
    assert error["message"].startswith("expected an HTTP request, found something else")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests())
def test_a_malformed_request_is_refused(port: int, request: bytes) -> None:
    check(port, request)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests())
def test_ten_thousand_malformed_requests_are_refused(port: int, request: bytes) -> None:
    check(port, request)
