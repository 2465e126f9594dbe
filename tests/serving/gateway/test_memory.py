"""What clients can make the gateway keep in memory at a time."""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from automl_serving.gateway.decoding import PixelRoom

MILLION = 1_000_000
BODY = json.dumps({"images": [{"b64": ""}]}).encode()


@pytest.fixture(scope="module")
def small(start_gateway: Callable[..., Any], model_server: Any) -> Any:
    """A gateway that keeps bodies of 2 MB."""
    return start_gateway(
        model_server.ready["port"], "--max-held-bytes=2000000", "--max-body-bytes=1500000"
    )


@contextlib.contextmanager
def unfinished(gateway: Any, headers: str, content: bytes = b"") -> Iterator[socket.socket]:
    """Sends a request whose body does not end, and waits until the gateway has read that."""
    head = (
        f"POST /v1/score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-key-of-the-tests\r\n"
        f"Content-Type: application/json\r\n{headers}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.ready["port"]), 20) as connection:
        connection.sendall(head.encode() + content)
        time.sleep(1.0)
        yield connection


def post(client: httpx.Client, size: int) -> httpx.Response:
    headers = {"content-type": "application/json"}
    return client.post("/v1/score", content=BODY.ljust(size), headers=headers)


def test_bodies_for_which_there_is_no_room_are_refused(small: Any, connect_to: Any) -> None:
    with connect_to(small) as client:
        with unfinished(small, "Content-Length: 1500000", b" " * 1_400_000):
            refused = post(client, 700_000)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "unavailable"
            assert "700,000 bytes" in refused.json()["error"]["message"]
            assert refused.headers["retry-after"] == "1"
            assert post(client, 500_000).status_code == 200
        assert post_when_there_is_room(client, 1_500_000) == 200


def test_what_is_announced_and_does_not_come_takes_no_room(small: Any, connect_to: Any) -> None:
    with connect_to(small) as client, unfinished(small, "Content-Length: 1500000"):
        assert post(client, 1_500_000).status_code == 200


def test_bodies_of_unknown_length_count_as_they_come(small: Any, connect_to: Any) -> None:
    chunk = b"%x\r\n%s\r\n" % (700_000, b" " * 700_000)
    with connect_to(small) as client:
        with unfinished(small, "Transfer-Encoding: chunked", chunk) as connection:
            assert post(client, 1_400_000).status_code == 503
            with unfinished(small, "Content-Length: 1200000", b" " * 1_100_000):
                connection.sendall(chunk)
                assert connection.recv(1000).startswith(b"HTTP/1.1 503 ")
        assert post_when_there_is_room(client, 1_500_000) == 200


def test_one_of_the_largest_has_room_at_any_rate(
    start_gateway: Callable[..., Any], model_server: Any, connect_to: Any
) -> None:
    gateway = start_gateway(model_server.ready["port"], "--max-held-bytes=1")
    with connect_to(gateway) as client:
        assert post(client, 1_000_000).status_code == 200


def test_no_more_requests_than_may_wait(
    start_gateway: Callable[..., Any], model_server: Any, connect_to: Any
) -> None:
    gateway = start_gateway(model_server.ready["port"], "--max-requests=2")
    with connect_to(gateway) as client:
        with unfinished(gateway, "Content-Length: 100"):
            assert post(client, 1000).status_code == 200
            with unfinished(gateway, "Content-Length: 100"):
                refused = post(client, 1000)
                assert refused.status_code == 503
                assert "at most 2 requests" in refused.json()["error"]["message"]
                assert refused.headers["retry-after"] == "1"
                assert client.get("/healthz").status_code == 200
        assert post_when_there_is_room(client, 1000) == 200


def post_when_there_is_room(client: httpx.Client, size: int) -> int:
    """Returns the last status: the gateway may see later than we that a client has gone."""
    for _ in range(50):
        if (status := post(client, size).status_code) != 503:
            break
        time.sleep(0.1)
    return status


@pytest.mark.skipif(sys.platform != "linux", reason="a process's peak is read from /proc")
def test_large_pictures_are_decoded_one_at_a_time(
    start_gateway: Callable[..., Any], model_server: Any, connect_to: Any
) -> None:
    side = 5100  # of which only one has room
    gateway = start_gateway(model_server.ready["port"], "--decode-threads=8")
    content = io.BytesIO()
    Image.new("RGBA", (side, side)).save(content, "PNG")

    def score(client: httpx.Client) -> None:
        answer = client.post("/v1/score", files={"a": content.getvalue()}, timeout=60)
        assert "label" in answer.json()["results"][0]

    with connect_to(gateway) as client:
        score(client)
        before = peak(gateway)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(score, [client] * 8))
    # One takes eight bytes a pixel and more.
    assert peak(gateway) - before < 3 * 8 * side * side


def peak(gateway: Any) -> int:
    """Returns the most bytes that a process has had in memory until now."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


@settings(deadline=None)
@given(st.lists(st.integers(1, 10), min_size=1, max_size=12))
def test_never_more_pixels_than_there_is_room_for(pictures: list[int]) -> None:
    room, lock = PixelRoom(10 * MILLION), threading.Lock()
    inside, most = 0, 0

    def decode(millions: int) -> None:
        nonlocal inside, most
        with room(millions * MILLION + 1 if millions < 10 else 10 * MILLION):
            with lock:
                inside += millions
                most = max(most, inside)
            time.sleep(0)
            with lock:
                inside -= millions

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decode, pictures))
    assert max(pictures) <= most <= 10


def test_a_large_picture_is_overtaken_by_small_ones_only() -> None:
    room, order = PixelRoom(10 * MILLION), []

    def decode(pixels: int) -> None:
        with room(pixels):
            order.append(pixels)

    sizes = (10 * MILLION, 2 * MILLION, MILLION)
    threads = [threading.Thread(target=decode, args=(pixels,)) for pixels in sizes]
    with room(5 * MILLION):  # which leaves enough for the second one
        for thread in threads:
            thread.start()
            time.sleep(0.3)
        assert order == [MILLION]
    for thread in threads:
        thread.join()
    assert sorted(order) == sorted(sizes)
