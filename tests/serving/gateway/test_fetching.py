"""Images that requests name by address, from a real web server on this machine."""

from __future__ import annotations

import asyncio
import base64
import functools
import http.server
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from automl.registry import Model
from automl_serving.gateway.decoding import Decoder
from automl_serving.gateway.fetching import ImageFetcher
from automl_serving.gateway.score_request import ImageAddress, ImageProblem, Parameters, ScoreItem
from automl_serving.gateway.scoring import Scorer
from automl_serving.gateway.settings import GatewaySettings
from automl_serving.gateway.upstream import Upstream


@pytest.fixture(scope="module")
def web(colour_images: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The address of a web server with a picture, a text and a large file."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    folder = tmp_path_factory.mktemp("web")
    (folder / "red").write_bytes(colour_images["rot"].read_bytes())
    (folder / "text.png").write_text("no picture")
    (folder / "large").write_bytes(bytes(100_001))
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def fetching(
    start_gateway: Callable[..., Any],
    connect_to: Callable[[Any], httpx.Client],
    model_server: Any,
) -> Iterator[httpx.Client]:
    """A gateway that may fetch from 127.0.0.1, and lets five requests be made at once."""
    gateway = start_gateway(
        model_server.ready["port"],
        "--fetch-urls=true",
        "--fetch-http=true",
        "--fetch-networks=127.0.0.1/32",
        "--fetch-timeout=5",
        "--max-image-bytes=100000",
        "--rate=0.01",
        "--burst=5",
    )
    with connect_to(gateway) as client:
        yield client


def test_images_are_fetched_each_for_itself(fetching: httpx.Client, web: str) -> None:
    port = web.rpartition(":")[2]
    expected = {
        f"{web}/text.png": "bad_image",
        f"{web}/none": "url_not_fetched",
        f"{web}/large": "url_not_fetched",
        "http://127.0.0.1:1/": "url_not_fetched",
        f"http://127.0.0.2:{port}/red": "url_address_refused",
        f"http://[::ffff:127.0.0.1]:{port}/red": "url_address_refused",
        "http://169.254.169.254/latest/meta-data/": "url_address_refused",
        "file:///etc/passwd": "url_address_refused",
        "\ud800": "url_not_fetched",
    }
    images = [{"url": url} for url in (f"{web}/red", *expected, f"{web}/red")]
    answer = fetching.post(
        "/v1/score",
        content=json.dumps({"images": images}),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    first, *failed, last = answer.json()["results"]
    assert first["label"] == last["label"] == "rot"
    for (url, code), result in zip(expected.items(), failed, strict=True):
        assert result["error"]["code"] == code, url
        message = result["error"]["message"]
        assert message.startswith("expected ")
        assert not any(word in message for word in ("Errno", "127.0.0", "169.254", "root:"))


def test_an_image_larger_than_allowed_is_one_images_error(fetching: httpx.Client) -> None:
    files = [("a", ("a", bytes(100_001))), ("b", ("b", b"x"))]
    answer = fetching.post("/v1/score", files=files)
    codes = [result["error"]["code"] for result in answer.json()["results"]]
    assert codes == ["image_too_large", "bad_image"]


def test_a_key_that_asks_too_often_is_told_when_to_come_back(fetching: httpx.Client) -> None:
    answers = [fetching.post("/v1/score", json={}) for _ in range(6)]
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["code"] == "too_many_requests"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 100
    assert fetching.get("/healthz").status_code == 200


def test_a_name_server_that_does_not_answer_holds_up_neither_scoring_nor_the_end(
    start_gateway: Callable[..., Any],
    connect_to: Callable[[Any], httpx.Client],
    model_server: Any,
    colour_images: Mapping[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    # A lookup has no time limit, and no test a name server that keeps silent.
    (tmp_path / "sitecustomize.py").write_text(
        "import socket, time\n"
        "look_up = socket.getaddrinfo\n"
        "def slow(host, *rest, **options):\n"
        "    if host == 'slow.example':\n"
        "        time.sleep(60)\n"
        "    return look_up(host, *rest, **options)\n"
        "socket.getaddrinfo = slow\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    arguments = ("--fetch-urls=true", "--fetch-timeout=1", "--max-images=40")
    gateway = start_gateway(model_server.ready["port"], *arguments)
    slow = [{"url": "https://slow.example/a.png"}] * 20
    red = base64.b64encode(colour_images["rot"].read_bytes()).decode()
    with connect_to(gateway) as client:
        *failed, last = client.post("/v1/score", json={"images": [*slow, {"b64": red}]}).json()[
            "results"
        ]
    for result in failed:
        assert result["error"]["code"] == "url_not_fetched"
        assert "no whole answer within 1 seconds" in result["error"]["message"]
    assert last["label"] == "rot"
    assert gateway.stop() == 0


@pytest.fixture
def settings(colour_model: Model) -> GatewaySettings:
    """Those of a gateway that fetches from `web`."""
    return GatewaySettings(
        model="colours",
        manifest=colour_model.path,
        fetch_urls=True,
        fetch_http=True,
        fetch_networks="127.0.0.1/32",
    )


def test_a_thread_that_cannot_be_started_takes_no_room(
    web: str, settings: GatewaySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def fetch() -> bytes | ImageProblem:
        fetcher, address = ImageFetcher(settings), ImageAddress(f"{web}/text.png")
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", full)
            for _ in range(20):
                with pytest.raises(RuntimeError, match="new thread"):
                    await fetcher.fetch(address)
        return await fetcher.fetch(address)

    assert asyncio.run(fetch()) == b"no picture"


def test_few_images_at_a_time_wait_to_be_decoded(
    web: str, settings: GatewaySettings, colour_model: Model
) -> None:
    may_decode = threading.Event()
    items = [ScoreItem(ImageAddress(f"{web}/text.png"), Parameters()) for _ in range(50)]
    fetched = []

    class Counting(ImageFetcher):
        async def fetch(self, address: ImageAddress) -> bytes | ImageProblem:
            content = await super().fetch(address)
            fetched.append(content)
            return content

    async def score() -> list[dict[str, Any]]:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(may_decode.wait)
            # What is no picture needs no model server.
            upstream, fetcher = Upstream("127.0.0.1:9", "colours", 1), Counting(settings)
            decoder = Decoder(pool, settings)
            scorer = Scorer(colour_model.manifest, upstream, decoder, fetcher, settings)
            deadline = asyncio.get_running_loop().time() + 60
            scoring = asyncio.create_task(scorer.score(items, deadline))
            await asyncio.sleep(2)
            at_first = len(fetched)
            may_decode.set()
            results = await scoring
            await upstream.close()
        assert at_first == 16
        return results

    results = asyncio.run(score())
    assert [result["error"]["code"] for result in results] == ["bad_image"] * 50
