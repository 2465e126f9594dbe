"""The process that makes the load: `python -m automl.loadtest.generator`, driven by `run`.

It reads one JSON object from standard input (see `Order`) and writes JSON lines: while it runs,
`{"answers": [[at, ms, error], …]}`, `at` in seconds since its first request and `error` a word or
two, empty for an answer; at the end `{"seconds": …, "cpu_seconds": …}`.
"""

from __future__ import annotations

# First, since it puts gevent's sockets in the place of Python's.
from locust import FastHttpUser
from locust.env import Environment
from locust.exception import StopUser

# isort: split

import json
import sys
import time
from itertools import cycle
from typing import Any, TypedDict

import gevent

ANSWER_SECONDS = 30.0
"""How long a request may take; then it is an error."""

_REPORT_SECONDS = 0.5
_PAUSE_SECONDS = 0.1


class Order(TypedDict):
    """What to do.

    Attributes:
        url: The scoring gateway's base address.
        key: A key of it.
        bodies: The requests, sent in turn.
        concurrency: How many are under way at any time.
        seconds: When no more are sent; those under way are waited for.
    """

    url: str
    key: str
    bodies: list[str]
    concurrency: int
    seconds: float


def main() -> None:
    """Does what standard input says."""
    order: Order = json.load(sys.stdin)
    answers: list[tuple[float, float, str]] = []
    environment = Environment(user_classes=[_user(order)], host=order["url"])
    began = time.time()

    def note(
        start_time: float, response_time: float, response: Any, exception: Any, **_: Any
    ) -> None:
        at = start_time - began + response_time / 1000
        answers.append((round(at, 4), round(response_time, 3), error_of(response, exception)))

    environment.events.request.add_listener(note)
    runner = environment.create_local_runner()
    used = time.process_time()
    runner.start(order["concurrency"], spawn_rate=order["concurrency"])
    runner.spawning_greenlet.join()
    last = 0.0
    while runner.user_count or answers:
        gevent.sleep(_REPORT_SECONDS)
        sent, answers[:] = answers[:], []
        last = max([last, *(at for at, _, _ in sent)])
        _say({"answers": sent})
    _say({"seconds": last, "cpu_seconds": time.process_time() - used})


def _user(order: Order) -> type[FastHttpUser]:
    """Returns the class of those who send one picture after the other, without a pause."""
    bodies = cycle(order["bodies"])
    end = time.monotonic() + order["seconds"]

    def score(user: FastHttpUser) -> None:
        response = user.client.post("/v1/score", data=next(bodies))
        if not response.status_code:
            gevent.sleep(_PAUSE_SECONDS)  # nobody is there: no use asking at full speed
        if time.monotonic() >= end:
            raise StopUser

    headers = {"Authorization": f"Bearer {order['key']}", "Content-Type": "application/json"}

    class Scorer(FastHttpUser):  # type: ignore[misc]
        tasks = [score]  # noqa: RUF012 - this and what follows are Locust's own attributes
        default_headers = headers
        insecure = False
        max_redirects = 0
        connection_timeout = network_timeout = ANSWER_SECONDS

    return Scorer


def error_of(response: Any, exception: BaseException | None) -> str:
    """Returns what is wrong with an answer in a word or two, or nothing."""
    if not response.status_code:
        return type(getattr(response, "error", None) or exception).__name__
    try:
        content = json.loads(response.content)
        error = content.get("error") or content["results"][0].get("error") or {}
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"{response.status_code} no answer of a scoring gateway"
    if response.status_code == 200:
        return str(error["code"]) if error else ""
    return f"{response.status_code} {error.get('code', '')}".strip()


def _say(content: dict[str, Any]) -> None:
    # Where nobody reads any more, this ends the process.
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    main()
