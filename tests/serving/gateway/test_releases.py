"""Versions on trial and in the shadow, behind one gateway and before a real gRPC server."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from automl import images
from automl.manifest import Manifest
from automl_serving import tensors
from automl_serving.gateway.stubs import PredictRequest, PredictResponse

FILES = {"image": ("a.png", images.encode_png(np.zeros((4, 4, 3), np.uint8)))}
LABELS = {1: ("a", "b", "c"), 2: ("c", "b", "a"), 3: ("x", "y")}


class Versions:
    """A model server of versions that all are sure of the first class; one can be down."""

    def __init__(self) -> None:
        self.down = 0
        self.asked: Counter[int] = Counter()
        self.server = grpc.server(ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers([self])  # type: ignore[list-item]
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def service(self, call: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self.answer)

    def answer(self, message: bytes, context: grpc.ServicerContext) -> bytes:
        request = PredictRequest.FromString(message)
        version = request.model_spec.version.value
        self.asked[version] += 1
        if version == self.down:
            context.abort(grpc.StatusCode.NOT_FOUND, "")
        count = tensors.from_proto(request.inputs["images"], 1 << 30).shape[0]
        row = np.eye(len(LABELS[version]), dtype=np.float32)[:1]
        response = PredictResponse()
        for name in ("probabilities", "logits"):
            tensors.to_proto(np.repeat(row, count, axis=0), response.outputs[name])
        return bytes(response.SerializeToString())


@pytest.fixture(scope="module")
def versions() -> Iterator[Versions]:
    one = Versions()
    yield one
    one.server.stop(None)


@pytest.fixture(scope="module")
def gateway(
    versions: Versions,
    start_server: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """A gateway of version 1, with 2 for half of the keys, and 3 in the shadow."""
    folder = tmp_path_factory.mktemp("releases")
    for version, labels in LABELS.items():
        Manifest("m", version, labels, 8, 8, "squash", 1.0).write(folder / str(version))
    entries = [
        {"name": f"key {n}", "sha256": hashlib.sha256(f"k{n}".encode()).hexdigest()}
        for n in range(40)
    ]
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"keys": entries}))
    return start_server(
        "gateway",
        "--model=m",
        f"--manifest={folder / '1'}",
        f"--canary-manifest={folder / '2'}",
        "--canary-weight=0.5",
        f"--shadow-manifest={folder / '3'}",
        f"--upstream=127.0.0.1:{versions.port}",
        "--port=0",
        f"--keys-file={keys}",
    )


@pytest.fixture
def client(gateway: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.ready["url"], trust_env=False, timeout=30) as client:
        yield client


def score(client: httpx.Client, key: int) -> tuple[int, str]:
    headers = {"authorization": f"Bearer k{key}"}
    answer = client.post("/v1/score", files=FILES, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["version"], answer.json()["results"][0]["label"]


def test_a_key_has_one_version_and_its_labels(client: httpx.Client) -> None:
    first = [score(client, key) for key in range(40)]
    assert first == [score(client, key) for key in range(40)]
    assert set(first) == {(1, "a"), (2, "c")}
    assert 8 <= first.count((2, "c")) <= 32


def test_a_canary_that_fails_is_answered_for(client: httpx.Client, versions: Versions) -> None:
    versions.down = 2
    try:
        assert {score(client, key) for key in range(10)} == {(1, "a")}
    finally:
        versions.down = 0
    assert metric(client, "automl_gateway_canary_failures_total") > 0


def test_the_shadow_is_asked_and_compared_and_never_heard(
    client: httpx.Client, versions: Versions
) -> None:
    def compared(outcome: str) -> float:
        return metric(client, f'automl_gateway_shadow_images_total{{outcome="{outcome}"}}')

    before = compared("different"), compared("failed"), versions.asked[3]
    assert score(client, 1)[0] in (1, 2)
    until(lambda: compared("different") == before[0] + 1)
    assert versions.asked[3] == before[2] + 1
    versions.down = 3
    try:
        score(client, 1)
        until(lambda: compared("failed") == before[1] + 1)
    finally:
        versions.down = 0


def test_each_version_has_metrics_of_its_own(client: httpx.Client) -> None:
    score(client, 1)
    text = client.get("/metrics").text
    for version, labels in LABELS.items():
        line = f'automl_gateway_predictions_total{{label="{labels[0]}",version="{version}"}}'
        assert line in text
    names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "arguments", [["--canary-weight=1.5"], ["--shadow-weight=-1"], ["--canary-manifest=/nowhere"]]
)
def test_settings_that_cannot_be(tmp_path: Path, arguments: list[str]) -> None:
    from automl.errors import AutomlError
    from automl_serving.gateway.main import _run

    Manifest("m", 1, ("a", "b"), 8, 8, "squash", 1.0).write(tmp_path)
    with pytest.raises(AutomlError, match="found"):
        _run(["--model=m", f"--manifest={tmp_path}", "--port=0", *arguments])


def metric(client: httpx.Client, name: str) -> float:
    text = client.get("/metrics").text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
