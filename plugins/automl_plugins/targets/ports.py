"""Ports of this machine that are free, and a socket on one."""

from __future__ import annotations

import contextlib
import random
import socket
from collections import deque
from typing import Any

from automl.errors import DeploymentError, UsageError

HOST = "127.0.0.1"

# Below the ports that systems hand out for outgoing connections (Linux from 32768, macOS from
# 49152), so that none of those takes a port between our look at it and the server's use of it.
_PORTS = range(20000, 32000)

_LATELY: deque[int] = deque(maxlen=100)
"""Ports that were given out, whose servers may not have begun to listen."""


def free_port() -> int:
    """Returns a port that nobody has at this moment, another one each time.

    Raises:
        DeploymentError: If none is found.
    """
    with _held_port() as holder:
        port: int = holder.getsockname()[1]
    _LATELY.append(port)
    return port


def gateway_socket(wanted: Any) -> socket.socket:
    """Returns a socket on the port `wanted`, or on a free one; it does not listen yet.

    Raises:
        UsageError: If it is no port.
        DeploymentError: If it cannot be had.
    """
    if wanted is None:
        return _held_port()
    if not isinstance(wanted, int) or not 0 < wanted < 65536:
        raise UsageError(f"expected a port from 1 to 65535, found {wanted!r}; choose another.")
    try:
        try:
            return bound(wanted)
        except OSError:
            # Connections of a server that has just ended may be left over.
            return bound(wanted, again=True)
    except OSError as error:
        raise DeploymentError(
            f"expected a free port, found {wanted} in use on {HOST} or not allowed; choose "
            f"another or leave it out."
        ) from error


def bound(port: int, again: bool = False) -> socket.socket:
    """Returns a socket that holds `port`.

    Args:
        port: Of this machine.
        again: Whether connections may be left over there; until it listens, others may then have
            the port as well.

    Raises:
        OSError: If it is taken or not allowed.
    """
    holder = socket.socket()
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, again)
        holder.bind((HOST, port))
    except OSError:
        holder.close()
        raise
    return holder


def _held_port() -> socket.socket:
    ports = [port for port in _PORTS if port not in _LATELY]
    for port in random.SystemRandom().sample(ports, min(200, len(ports))):
        with contextlib.suppress(OSError):
            return bound(port)
    raise DeploymentError(
        f"expected a free port between {_PORTS.start} and {_PORTS.stop}, found none; delete "
        f"deployments that are not needed."
    )
