"""A server takes a socket that it inherits, if that is the one it was told to listen on."""

from __future__ import annotations

import os
import socket

import pytest

from automl.errors import DeploymentError
from automl_serving.lifecycle import listen


@pytest.fixture
def given() -> socket.socket:
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    return holder


def test_an_inherited_socket_is_listened_on(
    given: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = given.getsockname()[1]
    monkeypatch.setenv("AUTOML_LISTEN_FD", str(os.dup(given.fileno())))
    with given, listen("127.0.0.1", port, "--port") as listening:
        assert listening.getsockname() == given.getsockname()
        with socket.create_connection(("127.0.0.1", port)):
            pass
    assert "AUTOML_LISTEN_FD" not in os.environ


@pytest.mark.parametrize("descriptor", ["none", "99999"])
def test_what_is_no_socket_is_refused(descriptor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_LISTEN_FD", descriptor)
    with pytest.raises(DeploymentError, match=f"found '{descriptor}'.*unset it"):
        listen("127.0.0.1", 8080, "--port")


def test_another_port_is_refused(given: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    port = given.getsockname()[1]
    monkeypatch.setenv("AUTOML_LISTEN_FD", str(given.detach()))
    with pytest.raises(DeploymentError, match=f"its port is not {port + 1}"):
        listen("127.0.0.1", port + 1, "--port")
