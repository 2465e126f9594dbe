"""Pictures a second through a deployment, beside a bare loop and what else one would deploy.

    python3.11 -m venv peers
    peers/bin/pip install fastapi 'uvicorn[standard]' python-multipart litserve bentoml openvino \
        tensorflow-cpu pillow cykooz-resizer
    apt install wrk
    python benchmarks/serving_throughput.py models/NAME/1 IMAGES --python peers/bin/python

All get the same photos, in forms, from 16 connections, decode them by `automl.images`, and compute
in the same precision: the gateway and the model server as `automl deploy` starts them; a loop in
threads that decodes and runs OpenVINO, with no server about it; and `benchmarks/peers`, in an
environment of their own: FastAPI, LitServe and BentoML with the same OpenVINO model, FastAPI with
the same SavedModel in TensorFlow. Each is set up as its documentation says, with the log of
requests that it then writes, as the gateway does. A server's speed differs by some 4 % from one
start to the next, and stays as it is until it ends; a machine's may differ by more from one minute
to the next. So ours and each of the others are started anew in each round, and asked in turn for a
few seconds each, the other one idle; what is compared is the sums of that minute, and the figures
are medians of the rounds.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

import httpx
import numpy as np
import psutil
from serving_load import HEADERS, STARTING, Wrk, deployed, form, jpegs, parser_of

import automl
from automl.cli.options import print_table
from automl.components import Precision
from automl.hardware import cores
from automl_plugins.targets.ports import free_port

CONNECTIONS = 16
WARMING = 2.0
PEERS = Path(__file__).with_name("peers")
LOOP, TENSORFLOW = "bare loop", "fastapi_tensorflow"
BATCHING = ("fastapi_openvino", "litserve_openvino", "bentoml_openvino")
LEAST = {LOOP: 0.75, TENSORFLOW: 2.0, **dict.fromkeys(BATCHING, 1.0)}
CLOSE = {"float32": 1e-3, "bfloat16": 0.02}
"""How far the peers' probabilities may be from the loop's."""

Measure = Callable[[float], float]
"""Runs one way for some seconds, and returns pictures a second."""

Way = Callable[[], AbstractContextManager[Measure]]
"""Makes one way ready to be measured."""


def main() -> None:
    """Measures and prints; see the module's text."""
    parser = parser_of(__doc__)
    parser.add_argument("--python", help="of the peers' environment; without it there are none")
    parser.add_argument("--precision", choices=list(CLOSE), default="float32", help="of all")
    parser.add_argument("--seconds", type=float, default=2.0, help="at a time (default: 2)")
    parser.add_argument("--turns", type=int, default=4, help="in a round (default: 4)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: 5)")
    arguments = parser.parse_args()
    pictures = jpegs(arguments.images, 32)
    with tempfile.TemporaryDirectory() as place:
        wrk = Wrk(pictures, Path(place))
        told = environment(arguments.model, arguments.precision)
        loop = Loop(sys.executable, told, pictures, Path(place) / "pictures")
        expected = loop.first()

        ours = functools.partial(ours_running, arguments.model, arguments.precision, wrk)
        others: dict[str, Way] = {LOOP: lambda: contextlib.nullcontext(loop)}
        for name in (TENSORFLOW, *BATCHING) if arguments.python else ():
            peer = Peer(name, arguments.python, told)
            others[name] = functools.partial(peer.running, wrk, pictures[0], expected)
        show(compared(ours, others, arguments.seconds, arguments.turns, arguments.rounds))


@contextlib.contextmanager
def ours_running(model: Path, precision: Precision, wrk: Wrk) -> Iterator[Measure]:
    """Deploys a version."""
    with deployed(model, precision) as service:
        yield asked(service.url, wrk)


def asked(url: str, wrk: Wrk) -> Measure:
    """Returns how a server at `url` is measured, after asking it for a while."""
    rate(url, wrk, WARMING)
    return functools.partial(rate, url, wrk)


def rate(url: str, wrk: Wrk, seconds: float) -> float:
    """Returns the answers a second, all of which must be scores."""
    load = wrk(url, seconds, CONNECTIONS)
    if load.errors or not load.rate:
        sys.exit(
            f"expected scores from {url}, found {load.rate:.1f} a second and {load.errors} errors; "
            f"give it more --seconds, or look what it says."
        )
    return load.rate


class Loop:
    """The loop without a server, each time in a process of its own."""

    def __init__(
        self, python: str, told: Mapping[str, str], pictures: Sequence[bytes], place: Path
    ) -> None:
        """Writes the pictures to the folder `place`, which it makes."""
        place.mkdir()
        for number, picture in enumerate(pictures):
            (place / f"{number:03}.jpg").write_bytes(picture)
        self._command = [python, str(PEERS / "bare_loop.py"), str(place)]
        self._environment = told

    def __call__(self, seconds: float) -> float:
        """Returns pictures a second."""
        return float(self._run(seconds)["rate"])

    def first(self) -> list[float]:
        """Returns the first picture's probabilities."""
        found: list[float] = self._run(0.1)["first"]
        return found

    def _run(self, seconds: float) -> Any:
        command = [*self._command, str(seconds)]
        told = subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, check=True)
        return json.loads(told.stdout)


def environment(model: Path, precision: Precision) -> dict[str, str]:
    """Returns what the programs in `peers` are told."""
    return {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "MODEL": str(model.absolute()),
        "PRECISION": precision,
        "CORES": str(cores()),
    }


class Peer:
    """A server of `benchmarks/peers`, in its own environment."""

    def __init__(self, name: str, python: str, told: Mapping[str, str]) -> None:
        self._name, self._python, self._told = name, python, told
        self._port = free_port()
        path = "predict" if name.startswith("litserve") else "score"
        self._url = f"http://127.0.0.1:{self._port}/{path}"

    @contextlib.contextmanager
    def running(self, wrk: Wrk, picture: bytes, expected: list[float]) -> Iterator[Measure]:
        """Starts it, and waits until it scores a picture as expected."""
        with tempfile.TemporaryDirectory() as place:
            # Its environment has no automl, of which it needs the decoder.
            (Path(place) / "automl").symlink_to(Path(automl.__file__).parent)
            told = {**self._told, "PYTHONPATH": place, "PORT": str(self._port)}
            command = [self._python, str(PEERS / f"{self._name}.py")]
            with (Path(place) / "log").open("w+") as log:
                process = psutil.Popen(command, env=told, stdout=log, stderr=log)
                try:
                    self._check(process, picture, expected, log)
                    yield asked(self._url, wrk)
                finally:
                    self._end(process)

    def _check(self, process: Any, picture: bytes, expected: list[float], log: IO[str]) -> None:
        end = time.monotonic() + STARTING
        answer = None
        while answer is None and time.monotonic() < end and process.poll() is None:
            time.sleep(0.5)
            with contextlib.suppress(httpx.ConnectError):
                answer = httpx.post(
                    self._url, content=form(picture), headers=HEADERS, timeout=60, trust_env=False
                )
        if answer is None or answer.status_code != 200:
            log.seek(0)
            said = log.read()[-2000:] if answer is None else answer.text[:200]
            sys.exit(f"expected {self._name} to score, found: {said}")
        found = np.ravel(answer.json())
        if not np.allclose(found, expected, atol=CLOSE[self._told["PRECISION"]]):
            sys.exit(f"expected {self._name} to score as the loop, found {found}; mend it.")

    def _end(self, process: Any) -> None:
        # Some put their workers in sessions of their own.
        everything = [process, *process.children(recursive=True)] if process.is_running() else []
        for each in everything:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(everything, 20)


def compared(
    ours: Way, others: dict[str, Way], seconds: float, turns: int, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Returns pictures a second of ours and of each other way, by round."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in others}
    for _ in range(rounds):
        for name, other in others.items():
            with ours() as first, other() as second:
                found[name].append(in_turn(first, second, seconds, turns))
    return found


def in_turn(first: Measure, second: Measure, seconds: float, turns: int) -> tuple[float, float]:
    """Returns pictures a second of two ways, each of which begins every other turn."""
    rates: dict[Measure, list[float]] = {first: [], second: []}
    for turn in range(turns):
        for measure in (first, second) if turn % 2 == 0 else (second, first):
            rates[measure].append(measure(seconds))
    return statistics.mean(rates[first]), statistics.mean(rates[second])


def show(found: dict[str, list[tuple[float, float]]]) -> None:
    """Prints how we do against each."""
    rows = []
    for name, rounds in found.items():
        ratios = [ours / other for ours, other in rounds]
        rows.append(
            (
                name,
                f"{statistics.median(other for _, other in rounds):.1f}",
                f"{statistics.median(ours for ours, _ in rounds):.1f}",
                f"{statistics.median(ratios):.2f}",
                f"{min(ratios):.2f} to {max(ratios):.2f}",
                f"{LEAST[name]:.2f}",
            )
        )
    print_table(
        ["", "pictures a second", "ours", "ours / it", "rounds", "should be at least"], rows
    )


if __name__ == "__main__":
    main()
