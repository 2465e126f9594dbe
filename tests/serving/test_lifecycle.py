"""The socket that a server inherits, and what it does again and again."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import subprocess
import sys

import pytest

from automl.errors import DeploymentError
from automl_serving.lifecycle import every, listen


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


def test_what_fails_is_tried_again() -> None:
    calls = 0

    async def act() -> None:
        nonlocal calls
        calls += 1
        raise ValueError(calls)

    async def run() -> None:
        acting = asyncio.create_task(every(0.01, act))
        while calls < 3:
            await asyncio.sleep(0.01)
        acting.cancel()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_never_is_at_once_done() -> None:
    asyncio.run(every(0.0, lambda: pytest.fail("was called")))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_freed_memory_goes_back() -> None:
    code = """if True:
        import asyncio, psutil
        from automl.memory import keep_freed_memory
        from automl_serving.lifecycle import release_memory
        keep_freed_memory()
        parts = [bytearray(100_000) for _ in range(1000)]
        last = bytearray(200_000)  # below which nothing goes back by itself
        del parts
        before = psutil.Process().memory_info().rss
        asyncio.run(release_memory())
        print(before - psutil.Process().memory_info().rss)
    """
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    assert int(told) > 50e6
