"""The gateway as a process: what it loads, says, logs, survives, and how it ends."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from automl.images import decode, encode_png
from automl.manifest import Manifest
from automl.model import Model

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c4944415408d763f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
FILES = {"image": ("a.png", PNG)}

Start = Callable[..., Any]
Connect = Callable[[Any], httpx.Client]


def test_it_loads_no_framework() -> None:
    code = """if True:
        import sys, automl_serving.gateway.main, automl_serving.gateway.app
        assert not {m.partition(".")[0] for m in sys.modules} & {
            "tensorflow", "keras", "sklearn", "openvino", "automl_plugins", "scipy", "pandas"
        }, sorted(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.slow
def test_its_stubs_leave_tensorflow_as_it_is() -> None:
    code = """if True:
        import os; os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        from automl_serving.gateway.stubs import PredictRequest
        import tensorflow as tf
        request = PredictRequest()
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1, 2]))
        assert tf.make_ndarray(request.inputs["x"]).tolist() == [1, 2]
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


def test_it_is_small(gateway: Any, client: httpx.Client) -> None:
    assert client.post("/v1/score", files=FILES).status_code == 200
    process = psutil.Process(gateway.process.pid)
    assert process.memory_info().rss < 150e6
    if sys.platform == "linux":
        mapped = " ".join(part.path for part in process.memory_maps())
        assert not re.search(r"tensorflow|keras|sklearn|openvino", mapped)


@pytest.mark.skipif(sys.platform != "linux", reason="page faults are counted in /proc")
def test_a_pictures_memory_is_kept_for_the_next_one(gateway: Any, client: httpx.Client) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    files = {"image": ("a.png", encode_png(noise))}

    def faults() -> int:
        fields = Path(f"/proc/{gateway.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[7])

    for count in (10, 30):
        before = faults()
        for _ in range(count):
            assert client.post("/v1/score", files=files).status_code == 200
    # A picture of this size has 300 pages.
    assert faults() - before < 30 * 100


def test_it_is_ready_when_the_model_is(client: httpx.Client) -> None:
    for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": status})


def test_metrics_count_what_was_answered(client: httpx.Client) -> None:
    def count(line: str) -> float:
        text = client.get("/metrics").text
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    scored = 'automl_gateway_images_total{outcome="scored"}'
    bad = 'automl_gateway_images_total{outcome="bad_image"}'
    other = 'automl_gateway_requests_total{method="GET",path="other",status="404"}'
    before = count(scored), count(bad), count(other)
    client.post("/v1/score", files=[("a", ("a", PNG)), ("b", ("b", PNG)), ("c", ("c", b"x"))])
    client.get("/never/heard/of")
    assert (count(scored), count(bad), count(other)) == (
        before[0] + 2,
        before[1] + 1,
        before[2] + 1,
    )
    assert count('automl_gateway_model_info{model="colours",version="1"}') == 1


def test_a_request_is_logged_by_its_id_without_secrets(gateway: Any, client: httpx.Client) -> None:
    given = client.post("/v1/score", files=FILES, headers={"x-request-id": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"
    made = client.get("/healthz", headers={"x-request-id": 'no"good'})
    assert re.fullmatch(r"[0-9a-f]{32}", made.headers["x-request-id"])
    ids = {"mine-1", made.headers["x-request-id"]}
    deadline = time.monotonic() + 5
    lines: dict[str, Any] = {}
    # An answer may arrive before its line is written.
    while not ids <= set(lines) and time.monotonic() < deadline:
        lines = {line["request_id"]: line for line in gateway.log_lines() if "request_id" in line}
        time.sleep(0.02)
    assert ids <= set(lines)
    line = lines["mine-1"]
    assert (line["path"], line["status"], line["key"]) == ("/v1/score", 200, "tests")
    assert (line["images"], line["scored"]) == (1, 1)
    key = client.headers["authorization"].split()[1]
    assert key not in gateway.log.read_text()


def test_a_damaged_image_writes_no_lines_of_its_own(gateway: Any, client: httpx.Client) -> None:
    entry = struct.pack("<HHLL", 0x010E, 2, 1000, 5000)  # a text that lies beyond the end
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4)
    content = io.BytesIO()
    Image.new("RGB", (32, 32)).save(content, "JPEG", exif=exif)
    with pytest.warns(UserWarning, match="[Ss]kipping tag"):
        decode(content.getvalue())
    before = len(gateway.log_lines())
    client.post("/v1/score", files={"image": content.getvalue()})
    until(lambda: len(gateway.log_lines()) > before)
    assert {line["message"] for line in gateway.log_lines()[before:]} == {"request"}


def test_the_page_is_one_file_under_a_strict_policy(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "v1/score" in answer.text
    assert not re.search(r"https?://|src=\"|@import", answer.text)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


@pytest.fixture
def serve(start_server: Start, colour_model: Model) -> Callable[[int], Any]:
    """Starts a model server on a port."""
    base = f"--model_base_path={colour_model.path.parent}"

    def start(port: int) -> Any:
        return start_server(
            "model_server", "--model_name=colours", base, f"--port={port}", "--rest_api_port=0"
        )

    return start


def test_it_waits_for_its_model_server_and_outlives_it(
    serve: Callable[[int], Any], start_gateway: Start, connect_to: Connect, free_port: int
) -> None:
    gateway = start_gateway(free_port)
    with connect_to(gateway) as client:
        check_unavailable(client.get("/readyz"))
        check_unavailable(client.post("/v1/score", files=FILES))
        model_server = serve(free_port)
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/score", files=FILES).status_code == 200
        model_server.kill()
        for _ in range(3):
            check_unavailable(client.get("/readyz"))
            check_unavailable(client.post("/v1/score", files=FILES))
        assert client.get("/healthz").status_code == 200
    assert gateway.stop() == 0


@pytest.mark.slow
def test_it_finds_a_model_server_that_was_killed_and_is_back(
    serve: Callable[[int], Any], start_gateway: Start, connect_to: Connect
) -> None:
    model_server = serve(0)
    port = model_server.ready["port"]
    with connect_to(start_gateway(port)) as client:
        assert client.post("/v1/score", files=FILES).status_code == 200
        model_server.kill()
        check_unavailable(client.post("/v1/score", files=FILES))
        model_server = serve(port)
        until(lambda: client.post("/v1/score", files=FILES).status_code == 200)
    assert model_server.stop() == 0


def test_a_model_server_that_hangs_is_given_up(
    start_gateway: Start, connect_to: Connect, silent_port: int
) -> None:
    gateway = start_gateway(silent_port, "--timeout=0.5")
    with connect_to(gateway) as client:
        answer = client.post("/v1/score", files=FILES)
        assert answer.status_code in (503, 504)
        assert answer.json()["error"]["code"] in ("unavailable", "deadline_exceeded")
        check_unavailable(client.get("/readyz"))


def test_a_model_of_other_labels_is_never_labelled(
    start_gateway: Start,
    connect_to: Connect,
    model_server: Any,
    colour_model: Model,
    tmp_path: Path,
) -> None:
    other = Manifest("colours", 1, ("cat", "dog"), 16, 24, "squash", 1.0)
    other.write(tmp_path / "labels")
    gateway = start_gateway(model_server.ready["port"], f"--manifest={tmp_path / 'labels'}")
    with connect_to(gateway) as client:
        answer = client.post("/v1/score", files=FILES)
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")


def test_a_version_that_is_not_served_is_not_replaced_by_another(
    start_gateway: Start,
    connect_to: Connect,
    model_server: Any,
    colour_model: Model,
    tmp_path: Path,
) -> None:
    manifest = colour_model.path / "assets.extra" / "manifest.json"
    file = tmp_path / "next.json"
    file.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    gateway = start_gateway(model_server.ready["port"], f"--manifest={file}")
    with connect_to(gateway) as client:
        check_unavailable(client.get("/readyz"))
        check_unavailable(client.post("/v1/score", files=FILES))


def test_a_body_that_never_comes_is_given_up(start_gateway: Start, model_server: Any) -> None:
    gateway = start_gateway(model_server.ready["port"], "--timeout=0.5")
    key = "a-key-of-the-tests"
    head = (
        f"POST /v1/score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with socket.create_connection(("127.0.0.1", gateway.ready["port"]), 10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_sigterm_lets_requests_finish(
    start_gateway: Start, connect_to: Connect, model_server: Any
) -> None:
    gateway = start_gateway(model_server.ready["port"], "--shutdown-delay=0.5")
    with connect_to(gateway) as client:
        answers: list[int] = []

        def slowly() -> Iterator[bytes]:
            yield b'{"images": [{"b64": "'
            time.sleep(0.9)
            yield b'AAAA"}]}'

        def score() -> None:
            headers = {"content-type": "application/json"}
            answers.append(client.post("/v1/score", content=slowly(), headers=headers).status_code)

        request = threading.Thread(target=score)
        request.start()
        time.sleep(0.3)
        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: client.get("/readyz").status_code == 503)
        assert client.get("/healthz").status_code == 200
        request.join()
        assert answers == [200]
        assert gateway.process.wait(10) == 0
        gateway.close()
        with pytest.raises(httpx.ConnectError):
            client.get("/healthz")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_full_disk_for_its_log_stops_nothing(colour_model: Model, model_server: Any) -> None:
    command = "from automl_serving.gateway.main import main; main()"
    upstream = f"--upstream=127.0.0.1:{model_server.ready['port']}"
    arguments = ["--model=colours", f"--manifest={colour_model.path}", upstream, "--port=0"]
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen(
            [sys.executable, "-c", command, *arguments],
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            for _ in range(3):
                assert client.post("/v1/score", files=FILES).status_code == 200
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--manifest=/nowhere"], 1, "manifest"),
        (["--host=0.0.0.0"], 2, "--keys-file"),
        (["--keys-file=/nowhere"], 2, "/nowhere"),
        (["--port=70000"], 2, "--port"),
        (["--port=x"], 2, "a whole number for --port"),
        (["--max-images=0"], 2, "--max-images"),
        (["--modle=x"], 2, "--modle"),
        (["--port={taken}"], 1, "taken"),
    ],
)
def test_wrong_settings_are_told_in_one_sentence(
    colour_model: Model, gateway: Any, arguments: list[str], code: int, said: str
) -> None:
    arguments = [one.format(taken=gateway.ready["port"]) for one in arguments]
    command = "from automl_serving.gateway.main import main; main()"
    base = ["--model=m", f"--manifest={colour_model.path}", "--port=0"]
    ended = subprocess.run(
        [sys.executable, "-c", command, *base, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == code, ended.stderr
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: expected ")
    assert said in line


@pytest.fixture
def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where connections are accepted and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def check_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"]["code"] == "unavailable"
    assert int(answer.headers["retry-after"]) > 0


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
