"""A server whose models change while it runs, over real sockets."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import text_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc


def config(*models: str) -> str:
    return "model_config_list {" + "".join(f"config {{ {one} }}" for one in models) + "}"


def model(folder: Path, name: str, more: str = "") -> str:
    return f'name: "{name}" base_path: "{folder}" model_platform: "tensorflow" {more}'


def connect(server: Any) -> httpx.Client:
    url = f"http://127.0.0.1:{server.ready['rest_api_port']}"
    return httpx.Client(base_url=url, trust_env=False)


def channel(server: Any) -> grpc.Channel:
    options = [("grpc.enable_http_proxy", 0)]
    return grpc.insecure_channel(f"127.0.0.1:{server.ready['port']}", options)


def eventually(look: Callable[[], Any], wanted: Any) -> None:
    deadline = time.monotonic() + 30
    while (found := look()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@pytest.fixture
def folder(tmp_path: Path, plus_models: dict[int, Path]) -> Path:
    """A base path with version 1."""
    shutil.copytree(plus_models[1], tmp_path / "models" / "1")
    return tmp_path / "models"


@pytest.fixture
def following(start_server: Any, folder: Path) -> Iterator[Any]:
    """A server that looks for versions and at its configuration often."""
    path = folder.with_name("models.config")
    path.write_text(config(model(folder, "plus")))
    server = start_server(
        "model_server",
        f"--model_config_file={path}",
        "--model_config_file_poll_wait_seconds=0.1",
        "--file_system_poll_wait_seconds=0.1",
        "--port=0",
        "--rest_api_port=0",
    )
    yield server
    assert server.stop() == 0


def test_versions_and_configurations_are_followed(
    following: Any, folder: Path, plus_models: dict[int, Path]
) -> None:
    with connect(following) as client, channel(following) as connected:

        def ask(path: str) -> Any:
            answer = client.post(f"/v1/models/{path}:predict", json={"instances": [0]})
            return answer.json().get("predictions", answer.status_code)

        def health() -> int:
            return (
                health_pb2_grpc.HealthStub(connected).Check(health_pb2.HealthCheckRequest()).status
            )

        assert ask("plus") == [1.0]
        (folder / "9").mkdir()
        (folder / "9" / "saved_model.pb").write_bytes(b"damaged")

        def failure() -> str:
            states = client.get("/v1/models/plus").json()["model_version_status"]
            return str(states[0]["status"]["error_code"]) if len(states) > 1 else "none"

        eventually(failure, "FAILED_PRECONDITION")
        assert ask("plus") == [1.0]
        shutil.rmtree(folder / "9")
        shutil.copytree(plus_models[2], folder / "2")
        eventually(lambda: ask("plus"), [2.0])
        file = folder.with_name("models.config")
        file.write_text("nonsense")
        both = "model_version_policy { all {} }"
        time.sleep(0.3)
        file.write_text(config(model(folder, "plus", both), model(folder, "other")))
        eventually(lambda: ask("plus/versions/1"), [1.0])
        eventually(lambda: ask("other"), [2.0])
        eventually(health, health_pb2.HealthCheckResponse.SERVING)
        shutil.rmtree(folder)
        folder.mkdir()
        eventually(health, health_pb2.HealthCheckResponse.NOT_SERVING)
        assert ask("plus") == 404
    log = following.log.read_text()
    assert "the model configuration was not followed" in log
    assert "Traceback" not in log


def test_a_configuration_over_grpc(start_server: Any, folder: Path) -> None:
    server = start_server(
        "model_server",
        f"--model_base_path={folder}",
        "--file_system_poll_wait_seconds=-1",  # nothing is looked for before it is asked to
        "--port=0",
        "--rest_api_port=0",
    )
    assert server.ready["models"] == {}
    with connect(server) as client, channel(server) as connected:
        stub = model_service_pb2_grpc.ModelServiceStub(connected)

        def reload(text: str) -> Any:
            request = model_management_pb2.ReloadConfigRequest()
            text_format.Parse(text, request.config)
            try:
                return stub.HandleReloadConfigRequest(request, timeout=30).status.error_code
            except grpc.RpcError as error:
                return error.code()

        def served(name: str) -> bool:
            return client.get(f"/v1/models/{name}/metadata").status_code == 200

        assert not served("default")
        assert reload(config(model(folder, "one"), model(folder, "two"))) == 0
        assert (served("one"), served("two")) == (True, True)
        assert reload(config(model(folder, "two"))) == 0
        assert (served("one"), served("two")) == (False, True)
        wrong = config(model(Path("relative"), "two"))
        assert reload(wrong) == grpc.StatusCode.INVALID_ARGUMENT
        label = model(folder, "two", 'version_labels { key: "stable" value: 7 }')
        assert reload(config(label)) == grpc.StatusCode.FAILED_PRECONDITION
        assert served("two")
        nowhere = config(model(folder / "nowhere", "three"), model(folder, "two"))
        assert reload(nowhere) == grpc.StatusCode.UNKNOWN
        assert served("two")
    assert server.stop() == 0


def test_batches_over_rest(start_server: Any, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "batching").write_text("max_batch_size { value: 4 }")
    server = start_server(
        "model_server",
        f"--model_base_path={folder}",
        "--enable_batching",
        f"--batching_parameters_file={tmp_path / 'batching'}",
        "--port=0",
        "--rest_api_port=0",
    )
    with connect(server) as client:
        rows = [float(n) for n in range(11)]
        answer = client.post("/v1/models/default:predict", json={"instances": rows})
        assert answer.json()["predictions"] == [row + 1 for row in rows]
        answer = client.post("/v1/models/default:predict", json={"inputs": []})
        assert json.loads(answer.text) == {"outputs": []}
        found = client.get("/monitoring/prometheus/metrics").text
        assert "automl_model_server_batch_rows_sum 11.0" in found
        wanted = ':tensorflow:serving:request_count{model_name="default",status="OK"} 2.0'
        assert wanted in found
        refused = client.post("/v1/models/nothing:predict", json={"inputs": []})
        assert refused.status_code == 404
        found = client.get("/monitoring/prometheus/metrics").text
        assert ':tensorflow:serving:request_count{model_name="",status="NOT_FOUND"} 1.0' in found
        path = f'model_path="{folder / "1"}",status="success"'
        assert f":tensorflow:cc:saved_model:load_attempt_count{{{path}}} 1.0" in found
    assert server.stop() == 0
