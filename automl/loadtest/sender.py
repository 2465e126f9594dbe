"""Those who send the requests, and what came of these; for a process that is Locust's own."""

from __future__ import annotations

# First, since it puts gevent's sockets in the place of Python's.
from locust import FastHttpUser
from locust.env import Environment
from locust.exception import StopUser

# isort: split

import json
import time
from itertools import cycle
from typing import Any, TypedDict

import gevent

ANSWER_SECONDS = 30.0
"""How long a request may take; then it is an error."""

_PAUSE_SECONDS = 0.1


class Order(TypedDict):
    """What to do.

    Attributes:
        url: The scoring gateway's base address.
        key: A key of it.
        bodies: The requests, sent in turn.
        concurrency: How many are under way at any time.
        seconds: When no more are sent; those under way are waited for.
        workers: How many processes send.
        listen: Host and port at which `workers` from elsewhere are waited for; `None` for ones
            that are started here.
        join: Host and port of the generator that this one works for; `None` for nobody's.
    """

    url: str
    key: str
    bodies: list[str]
    concurrency: int
    seconds: float
    workers: int
    listen: tuple[str, int] | None
    join: tuple[str, int] | None


class Senders:
    """Requests under way until they are told to end, and the answers to them.

    Attributes:
        environment: Locust's, for a runner to be made of it.
        over: Whether no more are sent.
    """

    def __init__(self, order: Order) -> None:
        self.over = False
        self._answers: list[tuple[float, float, str]] = []
        self._began = self._used = self._last = 0.0
        self.environment = Environment(user_classes=[self._user(order)])
        self.environment.events.test_start.add_listener(self._begin)
        self.environment.events.request.add_listener(self._note)

    def end(self, **_: Any) -> None:
        """Has each sender stop after the answer that it waits for."""
        self.over = True

    def taken(self) -> list[tuple[float, float, str]]:
        """Returns the answers since the last call."""
        taken, self._answers = self._answers, []
        self._last = max([self._last, *(at for at, _, _ in taken)])
        return taken

    def used(self) -> dict[str, float]:
        """Returns the seconds until the last answer that was taken, and the processor's."""
        return {"seconds": self._last, "cpu_seconds": time.process_time() - self._used}

    def _begin(self, **_: Any) -> None:
        self._began, self._used = time.time(), time.process_time()

    def _note(
        self, start_time: float, response_time: float, response: Any, exception: Any, **_: Any
    ) -> None:
        at = start_time - self._began + response_time / 1000
        error = error_of(response, exception)
        self._answers.append((round(at, 4), round(response_time, 3), error))

    def _user(self, order: Order) -> type[FastHttpUser]:
        """Returns the class of those who send one picture after the other, without a pause."""
        bodies = cycle(order["bodies"])

        def score(user: FastHttpUser) -> None:
            response = user.client.post("/v1/score", data=next(bodies))
            if not response.status_code:
                gevent.sleep(_PAUSE_SECONDS)  # nobody is there: no use asking at full speed
            if self.over:
                raise StopUser

        headers = {"Authorization": f"Bearer {order['key']}", "Content-Type": "application/json"}

        class Scorer(FastHttpUser):  # type: ignore[misc]
            tasks = [score]  # noqa: RUF012 - this and what follows are Locust's own attributes
            host = order["url"]
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
