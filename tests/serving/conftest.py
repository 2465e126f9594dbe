"""Real servers over a real model, each started once for all tests that only talk to it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from automl.model import Model

KEY = "a-key-of-the-tests"


class Server:
    """A server process that said it is ready."""

    def __init__(self, module: str, arguments: Sequence[str], log: Path) -> None:
        """Starts `python -m module` and waits for its ready line."""
        self.log = log
        self._errors = log.open("wb")
        # The console scripts do no more than this; so it works uninstalled, too.
        code = f"from {module} import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.ready: dict[str, Any] = json.loads(line)

    def stop(self) -> int:
        """Sends SIGTERM and returns the exit code."""
        self.process.terminate()
        code = self.process.wait(30)
        self.close()
        return code

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self.process.kill()
        self.process.wait(30)
        self.close()

    def close(self) -> None:
        """Closes the pipes."""
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()

    def log_lines(self) -> list[dict[str, Any]]:
        """Returns a gateway's log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


StartServer = Callable[..., Server]


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts a server of `automl_serving`: its package's name, then its arguments."""
    folder = tmp_path_factory.mktemp("logs")
    started: list[Server] = []

    def start(package: str, *arguments: object) -> Server:
        module = f"automl_serving.{package}.main"
        log = folder / f"{len(started)}.log"
        started.append(Server(module, [str(argument) for argument in arguments], log))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def model_server(start_server: StartServer, colour_model: Model) -> Server:
    """A model server of the model `colours`."""
    return start_server(
        "model_server",
        "--model_name=colours",
        f"--model_base_path={colour_model.path.parent}",
        "--port=0",
        "--rest_api_port=0",
        "--rest_api_timeout_in_ms=120000",
    )


@pytest.fixture(scope="session")
def rest(model_server: Server) -> Iterator[httpx.Client]:
    """Talks to the model server's REST API."""
    url = f"http://127.0.0.1:{model_server.ready['rest_api_port']}"
    # The first request for a signature that OpenVINO does not run loads TensorFlow.
    with httpx.Client(base_url=url, trust_env=False, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A keys file with two keys, of which the tests know the second."""
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    entries = [{"name": "other", "sha256": "0" * 64}, {"name": "tests", "sha256": digest.upper()}]
    path.write_text(json.dumps({"keys": entries}))
    return path


@pytest.fixture(scope="session")
def start_gateway(
    start_server: StartServer, colour_model: Model, keys_file: Path
) -> Callable[..., Server]:
    """Starts a gateway in front of a port; further arguments are passed on."""

    def start(upstream_port: int, *arguments: object) -> Server:
        return start_server(
            "gateway",
            "--model=colours",
            f"--manifest={colour_model.path}",
            f"--upstream=127.0.0.1:{upstream_port}",
            "--port=0",
            f"--keys-file={keys_file}",
            *arguments,
        )

    return start


@pytest.fixture(scope="session")
def gateway(start_gateway: Callable[..., Server], model_server: Server) -> Server:
    """A gateway in front of the model server, with limits that tests can reach."""
    return start_gateway(
        model_server.ready["port"],
        "--max-body-bytes=3000000",
        "--max-images=8",
        "--timeout=20",
    )


@pytest.fixture(scope="session")
def client(gateway: Server) -> Iterator[httpx.Client]:
    """Talks to the gateway, with the key."""
    with connect(gateway) as client:
        yield client


@pytest.fixture(scope="session")
def connect_to() -> Callable[[Server], httpx.Client]:
    """Makes clients of gateways that a test has started itself."""
    return connect


def connect(gateway: Server) -> httpx.Client:
    """Returns a client of `gateway` that has the key."""
    return httpx.Client(
        base_url=gateway.ready["url"],
        headers={"Authorization": f"Bearer {KEY}"},
        trust_env=False,
        timeout=30,
    )
