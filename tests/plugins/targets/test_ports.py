"""Ports for servers that are about to start, on the real machine."""

from __future__ import annotations

import os
import socket

import pytest

from automl.errors import DeploymentError
from automl_plugins.targets import ports
from automl_serving.lifecycle import listen


def test_one_that_is_held_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    with ports.gateway_socket(None) as holder:
        held = holder.getsockname()[1]
        monkeypatch.setattr(ports, "_PORTS", range(held, held + 1))
        with pytest.raises(DeploymentError, match="found none"):
            ports.free_port()
        with pytest.raises(DeploymentError, match=f"found {held} in use"):
            ports.gateway_socket(held)


def test_each_is_another_though_nobody_listens_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    with ports.gateway_socket(None) as holder:
        first = holder.getsockname()[1]
    monkeypatch.setattr(ports, "_PORTS", range(first, first + 20))
    assert len({ports.free_port() for _ in range(10)}) == 10


def test_one_whose_server_has_just_ended_can_be_had_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ports.gateway_socket(None) as holder:
        port = holder.getsockname()[1]
        monkeypatch.setenv("AUTOML_LISTEN_FD", str(os.dup(holder.fileno())))
        with listen(ports.HOST, port, "--port") as server:
            server.setblocking(True)
            with socket.create_connection((ports.HOST, port)) as client:
                server.accept()[0].close()  # first, so that what is left of it is on this side
                assert client.recv(1) == b""
    with pytest.raises(OSError, match="in use"):
        ports.bound(port)
    ports.gateway_socket(port).close()
