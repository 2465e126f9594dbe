"""Connections for `fetching`: to checked addresses only, and no longer than the time allows."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from automl.downloads.addresses import Network, resolve


class RefusedError(Exception):
    """A name leads to an address that is not to be connected to."""


class GuardedBackend(httpcore.NetworkBackend):
    """Resolves a name once and connects to the very addresses that were checked.

    Above it TLS and the `Host` header go by the name, so that certificates are checked as ever.
    No proxy of the environment's is asked: it would resolve the name again.
    """

    def __init__(self, networks: Iterable[Network], deadline: float) -> None:
        """Takes what may be reached beside public addresses, and when all must be done.

        Args:
            networks: See `addresses.resolve`.
            deadline: By `time.monotonic`.
        """
        self._networks = tuple(networks)
        self._deadline = deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connects to the first of the name's addresses that answers.

        Raises:
            RefusedError: If one of them is not to be connected to.
            httpcore.ConnectError: If the name is not known, or none answers.
        """
        try:
            addresses = resolve(host, port, self._networks)
        except (OSError, UnicodeError) as error:  # the latter: a name that no name can be
            raise httpcore.ConnectError(str(error)) from error
        if addresses is None:
            raise RefusedError(host)
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                stream = self._backend.connect_tcp(
                    address, port, remaining(self._deadline), local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failure


class _TimedStream(httpcore.NetworkStream):
    """A stream whose every step ends by one deadline, however slowly the other side drips."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, remaining(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, remaining(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = remaining(self._deadline)
        stream = self._stream.start_tls(ssl_context, server_hostname, left)
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def remaining(deadline: float) -> float:
    """Returns the seconds that are left.

    Raises:
        httpcore.ReadTimeout: If there are none.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time is over")
    return left
