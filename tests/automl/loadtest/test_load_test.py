"""Load on a real service: what is measured, what is told, and what is refused."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from automl.deployment import Deployment
from automl.errors import ScoringError, UsageError
from automl.loadtest import Answer, LoadTest, load_test
from automl.loadtest.picture import latency_chart

with_locust = pytest.mark.skipif(
    importlib.util.find_spec("locust") is None,
    reason="Locust is not installed: pip install -e '.[loadtest]'",
)
SCORED = {"label": "rot", "probability": 1.0, "scores": {"rot": 1.0}}
OVERLOADED = {"error": {"code": "overloaded", "message": "busy"}}


class Flaky(BaseHTTPRequestHandler):
    """A service that scores the first request, then fails in turn in each way that there is."""

    protocol_version = "HTTP/1.1"
    seen = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.kind()
        if kind == 4:
            self.close_connection = True
            return
        status, content = [
            (200, {"results": [SCORED]}),
            (503, OVERLOADED),
            (200, {"results": [{"error": {"code": "bad_image", "message": "no"}}]}),
            (302, {}),
        ][kind]
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def kind(self) -> int:
        Flaky.seen += 1
        return (Flaky.seen - 1) % 5

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def flaky() -> Iterator[str]:
    yield from serve(Flaky)


def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    socketserver.TCPServer.request_queue_size = 32
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@with_locust
def test_a_service_is_measured(deployed: Deployment, colour_images: dict[str, Path]) -> None:
    seen: list[Answer] = []
    test = load_test(
        deployed.url, deployed.key, list(colour_images.values()), 4, 1.5, progress=seen.extend
    )
    assert test.errors == {}
    assert seen == test.answers
    assert test.requests >= 4
    assert test.requests_per_second == pytest.approx(test.requests / test.seconds)
    median, most = test.percentile(50), test.percentile(99)
    assert median is not None
    assert most is not None
    assert 0 < median <= most < 1000 * test.seconds
    # Little's law: on average, no more than four were under way.
    assert sum(answer.ms for answer in test.answers) / 1000 / test.seconds <= 4.001
    assert 0 < test.generator_share <= 1.1
    assert test.generator_limit >= test.requests_per_second
    assert "gevent" not in sys.modules


@with_locust
def test_errors_are_counted_by_kind(flaky: str, colour_images: dict[str, Path]) -> None:
    test = load_test(flaky, "key", colour_images["rot"], 1, 0.5)
    assert set(test.errors) == {
        "503 overloaded",
        "bad_image",
        "302 no answer of a scoring gateway",
        next(kind for kind in test.errors if kind[0].isupper()),  # the connection that was closed
    }
    assert test.requests_per_second * test.seconds == pytest.approx(
        test.requests - sum(test.errors.values())
    )


class Scoring(Flaky):
    """A service that scores every request."""

    def kind(self) -> int:
        return 0


@pytest.fixture
def scoring() -> Iterator[str]:
    yield from serve(Scoring)


@with_locust
@pytest.mark.slow
def test_two_processes_send(scoring: str, colour_images: dict[str, Path]) -> None:
    seen: list[Answer] = []
    test = load_test(scoring, "key", colour_images["rot"], 3, 2.0, seen.extend, workers=2)
    assert test.errors == {}
    assert seen == test.answers
    assert (test.processes, test.concurrency) == (2, 3)
    assert test.requests >= 3
    assert sum(answer.ms for answer in test.answers) / 1000 / test.seconds <= 3.01
    assert test.generator_limit >= test.requests_per_second
    assert not started_here()


@with_locust
@pytest.mark.slow
def test_workers_join_from_elsewhere(
    scoring: str, colour_images: dict[str, Path], tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "automl", "loadtest", scoring, str(colour_images["rot"])]
    command += ["--key", "key", "--json", "--workspace", str(tmp_path)]
    leading = ["--listen", place, "--workers", "2", "--concurrency", "3", "--duration", "2s"]
    started = [
        subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for options in (leading, ["--join", place], ["--join", place])
    ]
    leader, *parts = [json.loads(each.communicate(timeout=120)[0]) for each in started]
    assert [each.returncode for each in started] == [0, 0, 0]
    assert leader["requests"] == sum(part["requests"] for part in parts)
    assert leader["errors"] == {}
    assert leader["generator"]["processes"] == 2
    assert sorted(part["concurrency"] for part in parts) == [1, 2]


@with_locust
@pytest.mark.slow
def test_a_worker_that_is_killed_ends_the_test(
    scoring: str, colour_images: dict[str, Path]
) -> None:
    def kill(answers: list[Answer]) -> None:
        if answers:
            (_, first, *_) = started_here()
            first.kill()

    with pytest.raises(ScoringError, match="one of the processes that send has ended"):
        load_test(scoring, "key", colour_images["rot"], 2, 60.0, kill, workers=2)
    assert not started_here()


def started_here() -> list[psutil.Process]:
    """Returns the load generator's processes, its own first."""
    found = []
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "automl.loadtest.generator" in process.cmdline():
                found += [process, *process.children(recursive=True)]
    return found


@with_locust
def test_what_cannot_be_measured_is_refused_before_the_load(
    deployed: Deployment, colour_images: dict[str, Path], tmp_path: Path
) -> None:
    image = colour_images["rot"]
    with pytest.raises(ScoringError, match="expected a key of the service"):
        load_test(deployed.url, "wrong", image)
    with pytest.raises(UsageError, match=r"found that .*none\.png cannot be read"):
        load_test(deployed.url, deployed.key, tmp_path / "none.png")
    with pytest.raises(UsageError, match="found none; name at least one"):
        load_test(deployed.url, deployed.key, [])
    with pytest.raises(UsageError, match="found 0 and 30"):
        load_test(deployed.url, deployed.key, image, concurrency=0)
    with pytest.raises(UsageError, match="found 3 for 2"):
        load_test(deployed.url, deployed.key, image, concurrency=2, workers=3)
    with pytest.raises(UsageError, match="found 'here'"):
        load_test(deployed.url, deployed.key, image, listen="here")
    with pytest.raises(UsageError, match="found both"):
        load_test(deployed.url, deployed.key, image, listen="a:1", join="b:1")


@pytest.mark.skipif(importlib.util.find_spec("locust") is not None, reason="Locust is installed")
def test_without_locust_it_says_what_to_install() -> None:
    with pytest.raises(UsageError, match=r"pip install 'automl-vision\[loadtest\]'"):
        load_test("http://127.0.0.1:9", "key", b"")


def test_a_busy_generator_is_said_to_be_the_limit() -> None:
    answers = [Answer(i / 1000, 1.0, "") for i in range(2000)]
    assert LoadTest(4, 2.0, 1.9, answers).summary()["generator"] == {
        "processes": 1,
        "core_share": 0.95,
        "requests_per_second_limit": 1052.6,
        "is_the_limit": True,
    }
    assert not LoadTest(4, 2.0, 1.0, answers).generator_limits
    spread = LoadTest(4, 2.0, 1.9, answers, processes=2)
    assert not spread.generator_limits
    assert spread.generator_limit == 2 * LoadTest(4, 2.0, 1.9, answers).generator_limit


@pytest.mark.parametrize("errors", [0, 3, 40])
def test_the_chart_can_be_drawn(errors: int) -> None:
    answers = [Answer(i / 4, 20.0 + i % 7, "late" if i < errors else "") for i in range(40)]
    picture = Image.open(io.BytesIO(latency_chart(LoadTest(4, 10.0, 1.0, answers)).png()))
    assert picture.format == "PNG"
    assert picture.width > 1000
