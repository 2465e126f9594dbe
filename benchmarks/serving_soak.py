"""Half an hour of steady load on a deployment, then a minute of five times what it can take.

    pip install 'automl-vision[loadtest]'
    apt install wrk
    python benchmarks/serving_soak.py models/NAME/1 IMAGES

`wrk` finds how many pictures a second the deployment can take; 80 % of that are sent then, and in
the end 500 %. Both at a fixed pace, whatever becomes of the requests: a client that waits for each
answer before it asks again (as wrk does, and Locust's users) spares a server that is slow just when
it matters. The client is the one of Locust's fast users, since it takes little of the processors
that it shares with the servers. Times are counted from when a request was due.

What the deployment can take is looked at for two minutes: a virtual machine's speed can change by a
fifth from one minute to the next, and 80 % of what a fast one allows can be more than a slow one.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
import numpy as np
import psutil
from geventhttpclient import HTTPClient
from serving_load import HEADERS, Wrk, deployed, form, jpegs, parser_of

from automl_plugins.targets.processes import Detached

CONNECTIONS = 16
STEADY, OVERLOAD = 0.8, 5.0
DEADLINE = 30.0
"""The gateway's own, as it is deployed."""

PATIENCE = 2 * DEADLINE
"""What is not answered by then hangs."""

MOST_DRIFT = 0.05
SAMPLES = 100
REFUSED = (429, 503)


def main() -> None:
    """Measures and prints; see the module's text."""
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="steady (default: 30)")
    parser.add_argument("--overload", type=float, default=60.0, help="seconds (default: 60)")
    parser.add_argument("--saturation", type=float, default=120.0, help="seconds (default: 120)")
    arguments = parser.parse_args()
    pictures = jpegs(arguments.images, 32)
    with tempfile.TemporaryDirectory() as place, deployed(arguments.model) as service:
        wrk = Wrk(pictures, Path(place))
        wrk(service.url, arguments.saturation / 4, CONNECTIONS)
        most = wrk(service.url, arguments.saturation, CONNECTIONS).rate
        print(f"It takes {most:.1f} pictures a second.\n", flush=True)
        client = Client(service.url, pictures)
        memory = Memory(service.state)
        steady = client.send(STEADY * most, 60 * arguments.minutes, memory)
        show_steady(steady, memory)
        overload = client.send(OVERLOAD * most, arguments.overload)
        show_overload(overload)
        after = client.send(1.0, 5.0)
        print(f"Asked once a second after that: {after.told()}.")


@dataclass
class Sent:
    """What became of requests.

    Attributes:
        statuses: How many were answered by which status; what was not answered, by the reason.
        seconds: Of those that were scored, each.
    """

    statuses: Counter[int | str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def told(self) -> str:
        """Returns both in words."""
        counts = ", ".join(f"{status}: {count}" for status, count in self.statuses.most_common())
        if not self.seconds:
            return counts
        parts = ", ".join(f"p{p} {1000 * np.percentile(self.seconds, p):.0f} ms" for p in (50, 99))
        return f"{counts}; {parts}"


class Client:
    """Sends pictures at a pace of its own."""

    def __init__(self, url: str, pictures: Sequence[bytes]) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._bodies = itertools.cycle([form(picture) for picture in pictures])
        self._client = HTTPClient(
            parts.hostname,
            parts.port,
            concurrency=10_000,
            connection_timeout=PATIENCE,
            network_timeout=PATIENCE,
        )

    def send(self, rate: float, seconds: float, memory: Memory | None = None) -> Sent:
        """Sends so many requests a second, and returns once all have ended."""
        sent = Sent()
        begun = time.monotonic()
        running = []
        for number in range(round(rate * seconds)):
            due = begun + number / rate
            gevent.sleep(max(0.0, due - time.monotonic()))
            running.append(gevent.spawn(self._ask, due, sent))
            if memory is not None and number % max(1, round(rate * seconds / SAMPLES)) == 0:
                memory.note()
                running = [each for each in running if not each.dead]
        gevent.joinall(running)
        return sent

    def _ask(self, due: float, sent: Sent) -> None:
        try:
            response = self._client.post(self._path, next(self._bodies), HEADERS)
            status: int | str = response.status_code
            response.read()
        except Exception as error:  # whatever it is, it is no answer
            status = type(error).__name__
        sent.statuses[status] += 1
        if status == 200:
            sent.seconds.append(time.monotonic() - due)


class Memory:
    """The servers' private memory over time."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._processes: dict[str, psutil.Process] = {}
        for part in state["processes"]:
            server = Detached.from_state(part)
            found = server.find()
            assert found is not None
            self._processes[server.role] = found
        self.found: dict[str, list[int]] = {role: [] for role in self._processes}

    def note(self) -> None:
        """Looks once."""
        for role, process in self._processes.items():
            self.found[role].append(process.memory_full_info().uss)

    def drift(self, role: str) -> tuple[float, float, float]:
        """Returns MiB after the first tenth and in the last, and how much more the latter is."""
        values = self.found[role]
        tenth = max(1, len(values) // 10)
        first, last = (
            statistics.median(part) / 2**20
            for part in (values[tenth : 2 * tenth] or values, values[-tenth:])
        )
        return first, last, last / first - 1


def show_steady(sent: Sent, memory: Memory) -> None:
    """Prints how the steady load went, and what the servers' memory did."""
    errors = sent.statuses.total() - sent.statuses[200]
    print(f"At {STEADY:.0%} of that: {sent.told()}.")
    print(f"Errors: {errors}; should be 0.")
    for role in memory.found:
        first, last, drift = memory.drift(role)
        print(
            f"Private memory of the {role}: {first:.1f} MiB, in the end {last:.1f} ({drift:+.1%}); "
            f"should be within {MOST_DRIFT:.0%}."
        )
    print(flush=True)


def show_overload(sent: Sent) -> None:
    """Prints how the overload went."""
    refused = sum(sent.statuses[status] for status in REFUSED)
    others = sent.statuses.total() - sent.statuses[200] - refused
    print(f"At {OVERLOAD:.0%}: {sent.told()}.")
    if sent.seconds:
        print(
            f"p99 of what was accepted: {np.percentile(sent.seconds, 99):.2f} s; should be below "
            f"{DEADLINE:g} s."
        )
    print(f"Neither scored nor refused by {REFUSED}: {others}; should be 0.", flush=True)


if __name__ == "__main__":
    main()
