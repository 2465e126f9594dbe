"""Runs a load test: asks once, then lets the generator ask all the time."""

from __future__ import annotations

import importlib.util
import json
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
                        order["concurrency"], said["seconds"], said["cpu_seconds"], answers
                    )
                new = [Answer(*answer) for answer in said["answers"]]
                answers += new
                progress(new)
        except BrokenPipeError:
            pass  # it ended at once, and says why
        finally:
            process.kill()
        process.wait()
        raise ScoringError(
            f"expected the load generator to finish, found that it ended: {_last_line(errors)}; "
            f"try again."
        )


def _last_line(file: IO[str]) -> str:
    file.seek(0)
    lines = [line.strip() for line in file if line.strip()]
    return lines[-1] if lines else "no word"
