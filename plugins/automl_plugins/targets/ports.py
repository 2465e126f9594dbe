"""Ports of this machine that are free, and a socket on one."""

from __future__ import annotations

import contextlib
import random
import socket
from typing import Any

from automl.errors import DeploymentError, UsageError

HOST = "127.0.0.1"

# Below the ports that systems hand out for outgoing connections (Linux from 32768, macOS from
# 49152), so that none of those takes a port between our look at it and the server's use of it.
_PORTS = range(20000, 32000)


def free_port() -> int:
    """Returns a port that nobody has at this moment.

    Raises:
        DeploymentError: If none is found.
    """
    for port in random.SystemRandom().sample(_PORTS, 200):
        with contextlib.suppress(OSError), bound(port):
            return port
    raise DeploymentError(
        f"expected a free port between {_PORTS.start} and {_PORTS.stop}, found none; delete "
        f"deployments that are not needed."
    )


def gateway_socket(wanted: Any) -> socket.socket:
    """Returns a socket on the port `wanted`, or on a free one; it does not listen yet.

    Raises:
        UsageError: If it is no port.
        DeploymentError: If it cannot be had.
    """
    if wanted is None:
        return bound(free_port())
    if not isinstance(wanted, int) or not 0 < wanted < 65536:
        raise UsageError(f"expected a port from 1 to 65535, found {wanted!r}; choose another.")
    try:
        return bound(wanted)
    except OSError as error:
        raise DeploymentError(
            f"expected a free port, found {wanted} in use on {HOST} or not allowed; choose "
            f"another or leave it out."
        ) from error


def bound(port: int) -> socket.socket:
    """Returns a socket that holds `port`.

    Raises:
        OSError: If it is taken or not allowed.
    """
    holder = socket.socket()
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, port))
    except OSError:
        holder.close()
        raise
    return holder
