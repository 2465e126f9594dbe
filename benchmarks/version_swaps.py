"""What requests notice of new versions: failures, and the slowest ones against a steady server.

python benchmarks/version_swaps.py models/NAME/1

Starts `automl-model-server` on copies of the version, finds the rate at which it is busy, and sends
pictures one at a time at half of that, in turn undisturbed and across swaps to ever newer versions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from automl.manifest import Manifest
from automl_serving import tensors
from automl_serving.gateway.stubs import (
    GetModelStatusRequest,
    ModelServiceStub,
    ModelVersionStatus,
    PredictionServiceStub,
    PredictRequest,
)

MOST = 2.0
CLIENTS = 4
TIMEOUT = 30.0

Sent = tuple[list[float], int]


def main() -> None:
    """Measures and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "model", metavar="VERSION", type=Path, help="a version that automl exported"
    )
    parser.add_argument("--swaps", type=int, default=20, help="(default: 20)")
    parser.add_argument("--rounds", type=int, default=4, help="that share them (default: 4)")
    parser.add_argument("--seconds", type=float, default=5.0, help="a swap (default: 5)")
    parser.add_argument("--saturation", type=float, default=5.0, help="seconds (default: 5)")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments))


async def measure(arguments: argparse.Namespace) -> None:
    """Runs all parts and prints what they found."""
    swaps = arguments.swaps // arguments.rounds
    steady: list[Sent] = []
    swapped: list[Sent] = []
    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        put(arguments.model, base, 1)
        async with server(base) as port:
            options = [("grpc.enable_http_proxy", 0)]
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
                ask = asker(channel, Manifest.read(arguments.model))
                rate = await busiest(ask, arguments.saturation)
                print(f"Busy at {rate:.0f} pictures a second; sent from now on: {rate / 2:.0f}.\n")
                for turn in range(arguments.rounds):
                    pause = asyncio.sleep(swaps * arguments.seconds)
                    steady.append(await send(ask, rate / 2, pause))
                    numbers = range(2 + turn * swaps, 2 + (turn + 1) * swaps)
                    swapping = swap(channel, arguments.model, base, numbers, arguments.seconds)
                    swapped.append(await send(ask, rate / 2, swapping))
    for name, rounds in {"steady": steady, "swapping": swapped}.items():
        latencies = [latency for each, _ in rounds for latency in each]
        failed = sum(failed for _, failed in rounds)
        shown = ", ".join(
            f"p{part} {1000 * np.percentile(latencies, part):.1f} ms" for part in (50, 90, 99)
        )
        print(f"{name}: {len(latencies)} answered, {failed} failed; {shown}")
    ratios = [
        np.percentile(beside, 99) / np.percentile(alone, 99)
        for (beside, _), (alone, _) in zip(swapped, steady, strict=True)
    ]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(
        f"\np99 while swapping / steady: {statistics.median(ratios):.2f} (in {len(ratios)} rounds: "
        f"{each}); should not be above {MOST}."
    )
    failed = sum(failed for _, failed in swapped)
    print(f"Failed across {swaps * arguments.rounds} swaps: {failed}; should be 0.")


def put(model: Path, base: Path, number: int) -> None:
    """Makes a version appear whole."""
    shutil.copytree(model, base / f".staging-{number}")
    (base / f".staging-{number}").rename(base / str(number))


@asynccontextmanager
async def server(base: Path) -> AsyncIterator[int]:
    """Runs a model server and tells its gRPC port."""
    code = "from automl_serving.model_server.main import main; main()"
    arguments = [f"--model_base_path={base}", "--port=0", "--rest_api_port=0"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, "--file_system_poll_wait_seconds=0.2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["port"]
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT)


def asker(channel: Any, manifest: Manifest) -> Callable[[], Awaitable[None]]:
    """Returns what sends one picture, of random pixels, and waits for the answer."""
    stub = PredictionServiceStub(channel)
    request = PredictRequest()
    request.model_spec.name = "default"
    shape = (1, manifest.height, manifest.width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    tensors.to_proto(pixels, request.inputs["images"])

    async def ask() -> None:
        await stub.Predict(request, timeout=TIMEOUT)

    return ask


async def busiest(ask: Callable[[], Awaitable[None]], seconds: float) -> float:
    """Returns how many requests a second are answered to clients that send the next at once."""
    end = time.monotonic() + seconds
    answered = 0

    async def client() -> None:
        nonlocal answered
        while time.monotonic() < end:
            await ask()
            answered += 1

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return answered / seconds


async def send(ask: Callable[[], Awaitable[None]], rate: float, until: Awaitable[Any]) -> Sent:
    """Sends so many requests a second, whatever becomes of them, until something is done.

    Returns:
        The seconds that each took from when it was due, and how many failed.
    """
    latencies: list[float] = []
    failed = 0

    async def one(due: float) -> None:
        nonlocal failed
        try:
            await ask()
            latencies.append(time.monotonic() - due)
        except grpc.aio.AioRpcError:
            failed += 1

    ending = asyncio.ensure_future(until)
    sent: list[asyncio.Task[None]] = []
    due = time.monotonic()
    while not ending.done():
        sent.append(asyncio.create_task(one(due)))
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.gather(*sent)
    await ending
    return latencies, failed


async def swap(
    channel: Any, model: Path, base: Path, numbers: Iterable[int], seconds: float
) -> None:
    """Brings new versions one after another, each of which must take over."""
    stub = ModelServiceStub(channel)
    request = GetModelStatusRequest()
    request.model_spec.name = "default"
    for number in numbers:
        begun = time.monotonic()
        await asyncio.to_thread(put, model, base, number)
        states: dict[int, int] = {}
        while (states.get(number), states.get(number - 1)) != (
            ModelVersionStatus.AVAILABLE,
            ModelVersionStatus.END,
        ):
            await asyncio.sleep(0.05)
            answer = await stub.GetModelStatus(request, timeout=TIMEOUT)
            states = {one.version: one.state for one in answer.model_version_status}
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - begun)))


if __name__ == "__main__":
    main()
