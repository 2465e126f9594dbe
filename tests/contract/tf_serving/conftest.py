"""Small real SavedModels, and the servers that the contract is checked against.

One embedded server for all cases, and any TensorFlow Serving that `TF_SERVING_URL` names, such as
`http://localhost:8501` (its gRPC port in `TF_SERVING_GRPC`, `localhost:8500` by default). That one
must serve the folder that `python tests/contract/tf_serving/models.py FOLDER` writes:

    tensorflow_model_server --port=8500 --rest_api_port=8501 \
        --allow_version_labels_for_unavailable_models --model_config_file=FOLDER/models.config
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

REAL = os.environ.get("TF_SERVING_URL")
REAL_GRPC = os.environ.get("TF_SERVING_GRPC", "localhost:8500")


@dataclass(frozen=True)
class Served:
    """A server under test.

    Attributes:
        rest: A client of its REST API, at `/v1/models/`.
        root: The same at `/`.
        channel: To its gRPC services.
        address: `host:port` of its gRPC services.
        folder: Where its models lie.
        log: What it wrote; `None` for a server that is not ours.
    """

    rest: httpx.Client
    root: httpx.Client
    channel: grpc.Channel
    address: str
    folder: Path | None
    log: Path | None

    def stub(self, service: str) -> Any:
        """Returns a stub of `prediction_service` or `model_service`."""
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        if service == "model_service":
            return model_service_pb2_grpc.ModelServiceStub(self.channel)
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel)


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model base paths, with `models.config` for all of them."""
    folder = tmp_path_factory.mktemp("contract")
    # Loaded by path: tests are no packages.
    path = Path(__file__).with_name("models.py")
    spec = importlib.util.spec_from_file_location("contract_models", path)
    assert spec is not None
    assert spec.loader is not None
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    models.write(folder)
    return folder


@pytest.fixture(scope="session", params=["embedded", *(["tf-serving"] if REAL else [])])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Each server, started once."""
    if request.param == "tf-serving":
        assert REAL is not None
        yield from _connected(REAL, REAL_GRPC, None, None)
        return
    folder = request.getfixturevalue("saved_models")
    log = tmp_path_factory.mktemp("contract-log") / "server.log"
    arguments = [
        f"--model_config_file={folder / 'models.config'}",
        "--allow_version_labels_for_unavailable_models",
        "--port=0",
        "--rest_api_port=0",
        "--rest_api_timeout_in_ms=120000",
    ]
    code = "from automl_serving.model_server.main import main; main()"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=errors
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text()
            ready = json.loads(line)
            url = f"http://127.0.0.1:{ready['rest_api_port']}"
            yield from _connected(url, f"127.0.0.1:{ready['port']}", folder, log)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _connected(url: str, address: str, folder: Path | None, log: Path | None) -> Iterator[Served]:
    with (
        httpx.Client(base_url=f"{url}/v1/models/", trust_env=False, timeout=120) as rest,
        httpx.Client(base_url=url, trust_env=False, timeout=120) as root,
        grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel,
    ):
        yield Served(rest, root, channel, address, folder, log)
