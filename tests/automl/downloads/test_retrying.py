"""Asking again, of a real server that refuses as often as it is told to."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from automl.downloads.addresses import parse_networks
from automl.downloads.fetching import Fetcher, FetchRules
from automl.downloads.retrying import fetch_patiently
from automl.errors import DownloadError

FETCHER = Fetcher(FetchRules(allow_http=True, networks=parse_networks("127.0.0.1")))


class Handler(http.server.BaseHTTPRequestHandler):
    refusals: list[tuple[int, str | None]]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        status, after = self.refusals.pop(0) if self.refusals else (200, None)
        if not status:  # hang up without a word
            return
        self.send_response(status)
        if after is not None:
            self.send_header("Retry-After", after)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[Any]:
    handler = type("Own", (Handler,), {"refusals": [], "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        handler.url = f"http://127.0.0.1:{server.server_port}/"  # type: ignore[attr-defined]
        yield handler
        server.shutdown()
        thread.join()


def test_what_may_pass_is_asked_for_again(web: Any):
    web.refusals[:] = [(0, None), (429, "0")]
    assert fetch_patiently(FETCHER, web.url).content == b"ok"
    assert len(web.asked) == 3


def test_nobody_waits_for_what_nobody_wants(web: Any):
    web.refusals[:] = [(429, "89"), (429, "89")]
    ended = threading.Event()
    ended.set()
    assert fetch_patiently(FETCHER, web.url, ended.wait).content == b"ok"


def test_the_third_refusal_stands(web: Any):
    web.refusals[:] = [(503, "0"), (429, "0"), (500, "0")]
    with pytest.raises(DownloadError, match="found the status 500; check") as caught:
        fetch_patiently(FETCHER, web.url)
    assert (caught.value.temporary, caught.value.wait) == (True, 0)


@pytest.mark.parametrize(
    ("status", "after", "wait"),
    [
        (404, None, None),
        (403, "0", 0),
        (429, "3600", 3600),
        (503, "9" * 400, float("inf")),
        (429, formatdate(4_000_000_000, usegmt=True), pytest.approx(4e9, abs=3e9)),
    ],
)
def test_what_will_not_pass_soon_is_not(web: Any, status: int, after: str | None, wait: Any):
    web.refusals[:] = [(status, after)] * 2
    with pytest.raises(DownloadError, match=f"found the status {status}; check") as caught:
        fetch_patiently(FETCHER, web.url)
    assert caught.value.wait == wait
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("after", "wait"),
    [
        ("soon", None),
        ("-1", None),
        ("²", None),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0),
        (formatdate(0, usegmt=True), 0),
    ],
)
def test_when_a_server_would_like_to_be_asked_again(web: Any, after: str, wait: float | None):
    web.refusals[:] = [(503, after)]
    with pytest.raises(DownloadError) as caught:
        FETCHER.fetch(web.url)
    assert caught.value.wait == wait
