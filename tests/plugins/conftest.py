"""A server that answers as Openverse and Flickr document, and serves the pictures it names."""

from __future__ import annotations

import http.server
import io
import json
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from automl.downloads.environment import NETWORKS
from automl.plugins import plugin_manager

KEY = "0123456789abcdef"


class WebSearch:
    """The server and what it is to do.

    Attributes:
        url: Its address.
        asked: The paths that were asked for, with their queries.
        total: How many pictures there are for a query, but for "nothing".
        refusals: Statuses and `Retry-After` headers to answer first, by the path's beginning.
        answers: Bodies that searches are answered with first, whatever they are.
        pictures: Bodies and their types by path, where they are no pictures.
        elsewhere: Addresses that results name instead of the server's own, by number.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.total = 45
        self.refusals: dict[str, deque[tuple[int, str | None]]] = {}
        self.answers: deque[bytes] = deque()
        self.pictures: dict[str, tuple[bytes, str]] = {}
        self.elsewhere: dict[int, str] = {}
        handler = type("Own", (Handler,), {"web": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def asked_for(self, beginning: str) -> list[str]:
        return [path for path in self.asked if path.startswith(beginning)]

    def refusal(self, path: str) -> tuple[int, str | None] | None:
        for beginning, refusals in self.refusals.items():
            if path.startswith(beginning) and refusals:
                return refusals.popleft()
        return None

    def addresses(self, query: str) -> list[str]:
        """Returns the addresses of a query's pictures, which are no other query's."""
        first = 1000 * len(query)
        numbers = range(first, first + (0 if query == "nothing" else self.total))
        return [
            self.elsewhere.get(number - first, f"{self.url}/pictures/{number}.png")
            for number in numbers
        ]

    def openverse(self, query: dict[str, str]) -> tuple[int, Any]:
        """Answers as https://api.openverse.org/v1/#tag/images/operation/images_search says."""
        size, page = int(query["page_size"]), int(query["page"])
        if size > 20:
            detail = "Ensure this value is less than or equal to 20."
            return 401, {"detail": detail}
        found = self.addresses(query["q"])
        results = [
            {
                "id": "4bc43a04-ef46-4544-a0c1-63c63f56e276",
                "title": "Tree Bark Photo",
                "foreign_landing_url": "https://stocksnap.io/photo/XNVBVXO3B7",
                "url": url,
                "creator": "Tim Sullivan",
                "creator_url": None,
                "license": "cc0",
                "license_version": "1.0",
                "license_url": "https://creativecommons.org/publicdomain/zero/1.0/",
                "provider": "stocksnap",
                "source": "stocksnap",
                "filesize": None,
                "filetype": "jpg",
                "mature": False,
            }
            for url in found[(page - 1) * size : page * size]
        ]
        return 200, {
            "result_count": len(found),
            "page_count": -(-len(found) // size),
            "page_size": size,
            "page": page,
            "results": results,
        }

    def flickr(self, query: dict[str, str]) -> tuple[int, Any]:
        """Answers as https://www.flickr.com/services/api/flickr.photos.search.html says.

        Errors come with status 200; `extras` are there for photos that have them.
        """
        assert (query["method"], query["format"], query["nojsoncallback"]) == (
            "flickr.photos.search",
            "json",
            "1",
        )
        if query["api_key"] != KEY:
            message = "Invalid API Key (Key has invalid format)"
            return 200, {"stat": "fail", "code": 100, "message": message}
        size, page = min(int(query["per_page"]), 500), int(query["page"])
        found = self.addresses(query["text"])
        extras = query["extras"].split(",")
        photos = [
            {
                "id": "2636",
                "owner": "47058503995@N01",
                "secret": "a123456",
                "server": "2",
                "title": "test_04",
                "ispublic": 1,
                **({"license": "4"} if "license" in extras else {}),
                **({"ownername": "Bees"} if "owner_name" in extras else {}),
                # One in five is smaller than 1024 pixels, and one has no address at all.
                **({} if number == 7 else {"url_c" if number % 5 == 1 else "url_l": url}),
            }
            for number, url in enumerate(found)
        ]
        return 200, {
            "photos": {
                "page": page,
                "pages": -(-len(found) // size),
                "perpage": size,
                "total": len(found),
                "photo": photos[(page - 1) * size : page * size],
            },
            "stat": "ok",
        }


class Handler(http.server.BaseHTTPRequestHandler):
    web: WebSearch

    def do_GET(self) -> None:
        self.web.asked.append(self.path)
        parts = urlsplit(self.path)
        refusal = self.web.refusal(self.path)
        if refusal is not None:
            status, after = refusal
            headers = {} if after is None else {"Retry-After": after}
            self.answer(status, b'{"detail": "Request was throttled."}', **headers)
        elif parts.path.startswith("/pictures/"):
            body, kind = self.web.pictures.get(parts.path) or (picture(parts.path), "image/png")
            self.answer(200, body, **{"Content-Type": kind})
        elif parts.path == "/missing.png":
            self.answer(404, b"")
        else:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            service = {"/v1/images/": self.web.openverse, "/services/rest/": self.web.flickr}
            status, answer = service[parts.path](query)
            body = self.web.answers.popleft() if self.web.answers else json.dumps(answer).encode()
            self.answer(status, body)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def picture(path: str) -> bytes:
    """Returns a picture that no other path has."""
    number = int(path.removeprefix("/pictures/").removesuffix(".png"))
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (number % 256, number // 256, 7)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def web_search(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSearch]:
    """The server, which the built-in search providers ask in place of the real ones."""
    web = WebSearch()
    thread = threading.Thread(target=web.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv(NETWORKS, "127.0.0.1")
    providers = plugin_manager().search_providers
    monkeypatch.setattr(providers["openverse"], "url", f"{web.url}/v1/images/")
    monkeypatch.setattr(providers["flickr"], "url", f"{web.url}/services/rest/")
    yield web
    web.server.shutdown()
    web.server.server_close()
    thread.join()


@pytest.fixture
def flickr_key() -> str:
    """The key that the server knows."""
    return KEY
