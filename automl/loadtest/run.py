"""Runs a load test: asks once, then lets the generator ask all the time."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import IO, Any

from automl.client import ScoringClient
from automl.errors import ScoringError, UsageError
from automl.loadtest.result import Answer, LoadTest
from automl.payload import Images, payloads

Progress = Callable[[list[Answer]], None]


def load_test(
    url: str,
    key: str,
    images: Images,
    concurrency: int = 16,
    seconds: float = 30.0,
    progress: Progress = lambda answers: None,
    *,
    workers: int = 1,
    listen: str | None = None,
    join: str | None = None,
) -> LoadTest:
    """Keeps a scoring service busy and measures how it answers.

    As many senders as `concurrency` says send one picture after the other, each as soon as the
    one before is answered. So a slow service is asked less often, and the figures are those of a
    service with that many requests under way, not of one that is asked at a fixed rate.

    Args:
        url: The scoring gateway's base address.
        key: A key of it.
        images: Paths, addresses (fetched from here) or bytes, sent in turn, one a request.
        concurrency: How many requests are under way at any time.
        seconds: For how long; the requests that are under way then are waited for.
        progress: Is given the answers since its last call, about twice a second.
        workers: How many processes send, each on a core of its own.
        listen: An address (`HOST:PORT`) at which that many workers from elsewhere are waited for;
            by default they are started here.
        join: The address at which a load test listens, for being one of its workers: it says how
            many requests are under way, and for how long. Only this worker's part is returned.

    Raises:
        UsageError: If Locust is not installed, or an argument is put wrongly.
        ScoringError: If the service does not score each of the pictures before the test.
    """
    if importlib.util.find_spec("locust") is None:
        raise UsageError(
            "expected Locust, which makes the load, found it not installed; type "
            "`pip install 'automl-vision[loadtest]'`."
        )
    if concurrency < 1 or seconds <= 0:
        raise UsageError(
            f"expected at least 1 request at a time and more than 0 seconds, found {concurrency} "
            f"and {seconds:g}; correct them."
        )
    if not 1 <= workers <= concurrency:
        raise UsageError(
            f"expected at least 1 worker and a request at a time for each, found {workers} for "
            f"{concurrency}; correct them."
        )
    if listen and join:
        raise UsageError("expected one address to listen at or to join, found both; drop one.")
    pictures = [payload for group in payloads(images) for payload in group]
    for payload in pictures:
        if payload.fault is not None:
            raise UsageError(payload.fault["message"])
    if not pictures:
        raise UsageError("expected pictures to send, found none; name at least one.")
    with ScoringClient(url, key) as client:
        for result in client.score(images):
            if "error" in result:
                raise ScoringError(result["error"]["message"])
    order = {
        "url": url.rstrip("/"),
        "key": key,
        "bodies": [json.dumps({"images": [{"b64": payload.b64}]}) for payload in pictures],
        "concurrency": concurrency,
        "seconds": seconds,
        "workers": workers,
        "listen": _address(listen) if listen else None,
        "join": _address(join) if join else None,
    }
    return _generate(order, progress)


def _generate(order: dict[str, Any], progress: Progress) -> LoadTest:
    """Runs the generator to its end; it ends with this process, too, as its output does."""
    answers: list[Answer] = []
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "automl.loadtest.generator"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            start_new_session=True,  # so that Ctrl-C is ours to answer
        ) as process,
    ):
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with process.stdin as pipe:
                json.dump(order, pipe)
            for line in process.stdout:
                said = json.loads(line)
                if "seconds" in said:
                    return LoadTest(
                        said["concurrency"],
                        said["seconds"],
                        said["cpu_seconds"],
                        answers,
                        1 if order["join"] else order["workers"],
                    )
                new = [Answer(*answer) for answer in said["answers"]]
                answers += new
                progress(new)
        except BrokenPipeError:
            pass  # it ended at once, and says why
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended
                os.killpg(process.pid, signal.SIGKILL)  # and the workers that it has started
        process.wait()
        raise ScoringError(
            f"expected the load generator to finish, found that it ended: {_last_line(errors)}; "
            f"try again."
        )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(
            f"expected an address such as 192.168.1.5:5557, found {text!r}; correct it."
        )
    return host, int(port)


def _last_line(file: IO[str]) -> str:
    file.seek(0)
    lines = [line.strip() for line in file if line.strip()]
    return lines[-1] if lines else "no word"
