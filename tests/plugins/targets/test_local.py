"""The local target refuses what cannot work and leaves nothing behind when it fails."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from automl.components import DeployRequest
from automl.errors import DeploymentError, UsageError
from automl.export.reference import patterns, write_reference
from automl.plugins import load_runtime
from automl.registry import Model
from automl_plugins.targets.local import LocalTarget
from automl_plugins.targets.plan import write_plan
from automl_plugins.targets.ports import bound, free_port
from automl_plugins.targets.processes import Detached
from automl_plugins.targets.rotation import LARGEST

HAS_BFLOAT16 = "bfloat16" in load_runtime().precisions
ALLOWED = {"bfloat16": {"largest_difference": 0.001, "same_class": 1.0, "allowed": True}}
NOT_ALLOWED = {"bfloat16": {"largest_difference": 0.25, "same_class": 0.5, "allowed": False}}


@pytest.fixture
def request_(colour_model: Model, tmp_path: Path) -> Iterator[DeployRequest]:
    yield DeployRequest(
        name="colours",
        model="colours",
        model_path=colour_model.path,
        version=1,
        key="secret",
        directory=tmp_path,
    )
    for process in running(tmp_path):  # of a test that failed
        process.kill()


def running(directory: Path) -> list[psutil.Process]:
    """Returns the processes whose command line names `directory`."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if any(str(directory) in part for part in process.info["cmdline"] or ())
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prot": 9000}, r"\(port, precision, timeout\), found 'prot'; did you mean 'port'"),
        ({"port": 70000}, "found 70000"),
        ({"port": "80x"}, "found '80x'"),
        ({"precision": "half"}, "expected precision float32 or bfloat16, found 'half'"),
    ],
)
def test_options_are_checked(
    request_: DeployRequest, options: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        LocalTarget().deploy(dataclasses.replace(request_, options=options))


def test_a_taken_port_is_refused_before_anything_starts(request_: DeployRequest) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DeploymentError, match=f"found {port} in use"):
            LocalTarget().deploy(dataclasses.replace(request_, options={"port": port}))
    assert list(request_.directory.iterdir()) == []


def test_a_server_that_ends_is_reported_in_its_own_words(request_: DeployRequest) -> None:
    broken = dataclasses.replace(request_, model_path=request_.directory / "no such version")
    with pytest.raises(DeploymentError) as caught:
        LocalTarget().deploy(broken)
    message = str(caught.value)
    assert message.startswith("expected the ")
    assert "found that it ended: expected" in message
    assert "\n" not in message
    assert running(request_.directory) == []


def test_a_service_that_takes_too_long_is_taken_down(request_: DeployRequest) -> None:
    states: list[Mapping[str, Any]] = []
    hasty = dataclasses.replace(request_, options={"timeout": 0.05}, remember=states.append)
    with pytest.raises(DeploymentError, match=r"ready within 0\.05 s"):
        LocalTarget().deploy(hasty)
    assert running(request_.directory) == []
    # The processes were remembered before they ran, so that a killed deploy can be cleaned up.
    assert [[p["pid"] is None for p in state["processes"]] for state in states] == [
        [True, True],
        [False, False],
    ]
    assert LocalTarget().status(states[-1]) == "stopped"
    LocalTarget().delete(states[-1])


def test_nothing_is_left_when_the_deploy_is_interrupted(request_: DeployRequest) -> None:
    def interrupt(state: Mapping[str, Any]) -> None:
        if len(state["processes"]) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalTarget().deploy(dataclasses.replace(request_, remember=interrupt))
    assert running(request_.directory) == []


def test_what_ends_is_started_again(request_: DeployRequest) -> None:
    """Kills one server, then the other, then the supervisor: what it started again ends as well."""
    target = LocalTarget()
    log = request_.directory / "supervisor.log"
    service = target.deploy(request_)
    try:
        assert target.status(service.state) == "ready"
        assert set(service.seconds) == {"model server", "gateway", "ready"}
        for count, role in enumerate(("model-server", "gateway"), start=1):
            (server,) = [p for p in running(request_.directory) if f"automl-{role}" in name(p)]
            server.kill()
            wait_for(lambda count=count: len(log.read_text().splitlines()) == count)
            wait_for(lambda: target.status(service.state) == "ready")
        assert len(running(request_.directory)) == 3
        with (request_.directory / "gateway.log").open("ab") as grown:
            grown.truncate(LARGEST + 1)
        wait_for((request_.directory / "gateway.log.1").exists)
        assert [line.split(" the ")[1] for line in log.read_text().splitlines()] == [
            "model server was not there; started it",
            "gateway was not there; started it",
        ]
        psutil.Process(service.state["supervisor"]["pid"]).kill()
        wait_for(lambda: target.status(service.state) == "degraded")
    finally:
        target.delete(service.state)
    assert target.status(service.state) == "stopped"
    assert running(request_.directory) == []


@pytest.fixture
def versions(request_: DeployRequest, colour_model: Model, tmp_path_factory: Any) -> Any:
    """Returns a maker of versions that say of themselves whether they may be in bfloat16."""
    models = tmp_path_factory.mktemp("models")
    pictures = {"images": patterns(colour_model.manifest.height, colour_model.manifest.width)}
    model = load_runtime("openvino").load(colour_model.path)
    reference = model.predict("serving_default", pictures)["probabilities"]

    def version(
        number: int, parity: Mapping[str, Any], moved: float = 0.0, **options: Any
    ) -> DeployRequest:
        path = models / str(number)
        shutil.copytree(colour_model.path, path)
        dataclasses.replace(colour_model.manifest, version=number, parity=parity).write(path)
        write_reference(path, (reference + moved).astype(np.float32))
        return dataclasses.replace(request_, model_path=path, version=number, options=options)

    return version


@pytest.mark.parametrize(
    ("parity", "why"),
    [
        (NOT_ALLOWED, "bfloat16 changed a probability by 0.25 at its export; take --set precis"),
        ({}, "its export has not measured bfloat16"),
        pytest.param(
            ALLOWED,
            "has no bfloat16 here",
            marks=pytest.mark.skipif(HAS_BFLOAT16, reason="this machine computes in bfloat16"),
        ),
    ],
)
def test_bfloat16_is_refused_where_it_cannot_be(versions: Any, parity: Any, why: str) -> None:
    request = versions(1, parity, precision="bfloat16")
    with pytest.raises(UsageError, match=why):
        LocalTarget().deploy(request)
    assert list(request.directory.iterdir()) == []


def test_so_it_is_by_a_runtime_without_it(versions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_MODEL_SERVER_RUNTIME", "tensorflow")
    with pytest.raises(UsageError, match="found that tensorflow has no bfloat16 here"):
        LocalTarget().deploy(versions(1, ALLOWED, precision="bfloat16"))


@pytest.mark.skipif(not HAS_BFLOAT16, reason="this machine does not compute in bfloat16")
def test_a_precision_stays_until_another_takes_over(versions: Any) -> None:
    target = LocalTarget()
    first = versions(1, ALLOWED, precision="bfloat16")

    def said(suffix: str) -> str:
        return (first.directory / f"model-server{suffix}.log").read_text()

    remembered: list[Mapping[str, Any]] = []
    service = target.deploy(first)
    try:
        assert "is computed in bfloat16" in said("")
        with pytest.raises(UsageError, match="bfloat16 changed a probability"):
            target.update(versions(2, NOT_ALLOWED), service.state)
        with pytest.raises(UsageError, match=r"change \(precision, timeout\), found 'port'"):
            target.update(versions(3, ALLOWED, port=9000), service.state)
        # In bfloat16 answers may be 0.05 from the export's, and in float32 they may not.
        moved = versions(4, ALLOWED, 0.05, precision="float32")
        moved = dataclasses.replace(moved, remember=remembered.append)
        with pytest.raises(DeploymentError, match=r"differ by 0\.05; export it again"):
            target.update(moved, service.state)
        service = target.update(versions(5, ALLOWED, 0.05), remembered[-1])
        assert "is computed in bfloat16" in said("-2")
        with pytest.raises(DeploymentError, match=r"differ by 0\.2; take --set precision=float32"):
            target.update(versions(6, ALLOWED, 0.2), service.state)
        service = target.update(versions(7, NOT_ALLOWED, precision="float32"), service.state)
        service = target.update(versions(8, ALLOWED), service.state)
        assert "computed in" not in said("-4")
    finally:
        target.delete(service.state)


def test_a_server_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    """As while its package is installed anew, or memory is short."""
    program = tmp_path / "server"
    command = (str(program), str(tmp_path))
    server = Detached("server", None, command, str(tmp_path / "server.log"))
    plan = tmp_path / "plan"
    write_plan(plan, [server])
    log = tmp_path / "supervisor.log"
    with bound(free_port()) as holder, log.open("w") as said:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "automl_plugins.targets.supervisor", plan],
            env={**os.environ, "AUTOML_LISTEN_FD": str(holder.fileno())},
            pass_fds=[holder.fileno()],
            stdout=said,
        )
        try:
            wait_for(lambda: "soon again" in log.read_text())
            program.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(100)\n")
            program.chmod(0o755)
            wait_for(lambda: "started it" in log.read_text())
        finally:
            for process in (supervisor, *psutil.Process(supervisor.pid).children()):
                process.kill()
                process.wait()


def name(process: psutil.Process) -> str:
    return " ".join(process.cmdline()[:2])


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_state_that_names_nothing_is_stopped() -> None:
    assert LocalTarget().status({}) == "stopped"
    LocalTarget().delete({})
