"""The model server as a process: what it serves, how it refuses to start, how it ends."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

COMMAND = [sys.executable, "-c", "from automl_serving.model_server.main import main; main()"]


def test_the_highest_number_is_served(many_server: Any) -> None:
    assert many_server.ready["models"] == {"many": [10]}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "--model_base_path"),
        (["--model_base_path={tmp}/nowhere"], 1, "nowhere"),
        (["--model_base_path={tmp}"], 1, "named by a version"),
        (["--model_base_path={many}", "--model_version=3"], 1, "named by a version"),
        (["--model_base_path={many}", "--model_config_file={tmp}"], 2, "found both"),
        (["--model_config_file={tmp}"], 1, "ModelServerConfig"),
        (["--model_base_path={many}", "--enable_batching=maybe"], 2, "true or false"),
        (["--model_base_path={many}", "--batching_parameters_file=b"], 2, "--enable_batching"),
        (["--model_base_path={many}", "--port={port}", "--rest_api_port=0"], 1, "--port"),
        (["--model_base_path={many}", "--port=0", "--rest_api_port={port}"], 1, "--rest_api_port"),
        (
            ["--model_base_path={many}", "--runtime=tensorflo", "--port=0", "--rest_api_port=0"],
            2,
            "did you mean 'tensorflow'",
        ),
        (["--model_base_path={many}", "--host=nowhere.invalid"], 1, "nowhere.invalid"),
        (["--model_base_path={many}", "--modelname=x"], 2, "--modelname"),
    ],
)
def test_wrong_settings_are_told_in_one_sentence(
    many_path: Path, many_server: Any, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    places = {"tmp": tmp_path, "many": many_path, "port": many_server.ready["port"]}
    check_refused([one.format(**places) for one in arguments], code, said)


@pytest.mark.slow
def test_a_damaged_model_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"damaged")
    arguments = [f"--model_base_path={tmp_path}", "--port=0", "--rest_api_port=0"]
    check_refused(arguments, 1, "expected a SavedModel")


def test_it_can_be_stopped_while_it_loads(many_path: Path) -> None:
    arguments = [f"--model_base_path={many_path}", "--runtime=tensorflow"]
    arguments += ["--port=0", "--rest_api_port=0"]
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert process.communicate()[0] == b""


@pytest.mark.slow
def test_sigterm_lets_requests_finish(
    start_server: Any, colour_model: Any, colour_images: Any
) -> None:
    server = start_server(
        "model_server",
        f"--model_base_path={colour_model.path.parent}",
        "--port=0",
        "--rest_api_port=0",
        "--drain_seconds=60",
    )
    picture = base64.b64encode(colour_images["rot"].read_bytes()).decode()
    content = {"signature_name": "encoded", "instances": [{"b64": picture}]}
    url = f"http://127.0.0.1:{server.ready['rest_api_port']}/v1/models/default:predict"
    with ThreadPoolExecutor(1) as pool:
        # It has to load TensorFlow first, which takes seconds.
        answer = pool.submit(httpx.post, url, json=content, trust_env=False, timeout=60)
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        assert answer.result().status_code == 200
    assert server.process.wait(30) == 0
    server.close()


def test_it_needs_no_tensorflow() -> None:
    code = """if True:
        import sys
        from automl_serving.model_server import (
            grpc_api, loading, main, manager, messages, metrics, rest_api, warmup
        )
        from automl_serving.model_server.batching import batcher
        assert not {"tensorflow", "keras"} & set(sys.modules), "it was imported"
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def check_refused(arguments: list[str], code: int, said: str) -> None:
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60)
    assert ended.returncode == code, ended.stderr
    assert ended.stdout == ""
    line = ended.stderr.splitlines()[-1]
    assert line.startswith("Error: expected ")
    assert said in line
    assert "Traceback" not in ended.stderr
