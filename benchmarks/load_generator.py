"""Does `automl loadtest` find what wrk finds, and up to which rate?

    apt install wrk
    pip install '.[loadtest]'
    python benchmarks/load_generator.py models/NAME/1 IMAGES

Both send the same requests from 16 connections, in turn: to a deployment, and to a service that
answers after a time, which fixes its rate. Medians of the rounds; from the rate on that the load
test states as its own limit, it need not agree.
"""

from __future__ import annotations

import base64
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from serving_load import KEY, Wrk, deployed, jpegs, parser_of

from automl.cli.options import print_table
from automl.loadtest import LoadTest, load_test

CONNECTIONS = 16
RATES = (50, 100, 200, 400, 800)
CLOSE = 0.1

_SERVICE = """
import asyncio, json, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def score(request):
    images = (await request.json())["images"]
    await asyncio.sleep(float(sys.argv[1]))
    return JSONResponse({"results": [{"label": "a"} for _ in images]})

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)

app = Starlette(routes=[Route("/v1/score", score, methods=["POST"])])
Server(uvicorn.Config(app, port=0, log_level="error")).run()
"""


def main() -> None:
    """Measures and prints; see the module's text."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="a round (default: 5)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: 5)")
    arguments = parser.parse_args()
    pictures = jpegs(arguments.images, 32)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        wrk = Wrk(pictures, Path(place), body, "application/json")

        def compare(name: str, url: str) -> None:
            rounds = [
                (
                    load_test(url, KEY, pictures, CONNECTIONS, arguments.seconds),
                    wrk(f"{url}/v1/score", arguments.seconds, CONNECTIONS).rate,
                )
                for _ in range(arguments.rounds)
            ]
            rows.append(row(name, rounds))

        with deployed(arguments.model) as service:
            compare("deployment", service.url.removesuffix("/v1/score"))
        for rate in RATES:
            with answering(CONNECTIONS / rate) as url:
                compare(f"at most {rate}/s", url)
    print_table(("service", "load test", "wrk", "ratio", "its limit", "is the limit"), rows)
    print(f"\nRatios should be within {CLOSE:.0%} of 1 where it is not the limit.")


def body(picture: bytes) -> bytes:
    """Returns the request that the load test sends for a picture."""
    return json.dumps({"images": [{"b64": base64.b64encode(picture).decode()}]}).encode()


def row(name: str, rounds: Sequence[tuple[LoadTest, float]]) -> tuple[str, ...]:
    """Returns what was found of a service: requests a second, by both."""
    found = statistics.median(test.requests_per_second for test, _ in rounds)
    peer = statistics.median(rate for _, rate in rounds)
    ratio = statistics.median(test.requests_per_second / rate for test, rate in rounds)
    limit = statistics.median(test.generator_limit for test, _ in rounds)
    limits = statistics.median(test.generator_limits for test, _ in rounds)
    return (
        name,
        f"{found:.1f}",
        f"{peer:.1f}",
        f"{ratio:.2f}",
        f"{limit:.0f}",
        "yes" if limits else "no",
    )


@contextlib.contextmanager
def answering(seconds: float) -> Iterator[str]:
    """Runs a service that answers after so long, and tells its address."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVICE, str(seconds)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    main()
