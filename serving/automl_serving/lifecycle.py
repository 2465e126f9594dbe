"""What both servers share of being a process: sockets, signals, HTTP, errors, the ready line."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from importlib import metadata
from typing import TYPE_CHECKING, Any

from automl.errors import AutomlError, DeploymentError
from automl.memory import keep_freed_memory, release_freed_memory

if TYPE_CHECKING:
    import uvicorn

logger = logging.getLogger(__name__)

IDLE_SECONDS = 75.0
"""How long a client may take between two requests, if nothing else is said; nginx gives as much.

A load balancer should keep a connection that it does not use for less, as those of AWS do (60 s):
where the server closes it first, that can meet the next request, which is lost then.
"""

RELEASE_SECONDS = 60.0
"""How often freed memory goes back: seldom enough that nobody waits for having it again."""

NOT_HTTP = "expected an HTTP request, found something else; let a client library write it."


def run(program: Callable[[], Any]) -> None:
    """Runs a server to its end and exits: 0 after a signal, else with one sentence and a code."""
    keep_freed_memory()
    _spare_grpc_threads()
    try:
        program()
    except AutomlError as error:
        print(f"Error: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(0)


def _spare_grpc_threads() -> None:
    """Has gRPC read its sockets in the threads that wait for it, as it did for Python until 1.80.

    The engine that it has since hands each message on through two more threads; a picture that is
    sent alone takes 0.4 ms longer. A version that has the old one no more would complain.
    """
    if metadata.version("grpcio").startswith("1.85."):
        engine = "-event_engine_client,-event_engine_listener"
        os.environ.setdefault("GRPC_EXPERIMENTS", engine)


def announce(**fields: Any) -> None:
    """Prints the one line that says the server is ready, as a JSON object."""
    print(json.dumps({"event": "ready", **fields}), flush=True)


def address(host: str, port: int) -> str:
    """Returns `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(host: str, port: int, flag: str) -> socket.socket:
    """Binds a TCP socket; 0 is any free port.

    Where `AUTOML_LISTEN_FD` names one that was inherited, it is that one: so a new server can
    take the place of an old one while connections wait in line.

    Raises:
        DeploymentError: If the port is taken or the address is not this machine's.
    """
    inherited = os.environ.pop("AUTOML_LISTEN_FD", None)
    if inherited is not None:
        return _adopt(inherited, port)
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(place)
            bound.listen(2048)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        where = address(host, port)
        if error.errno == errno.EADDRINUSE:
            found = f"{where} taken; choose another with {flag}, or stop what holds it."
        else:
            found = f"that {where} cannot be used ({error.strerror}); choose another."
        raise DeploymentError(f"expected a free port, found {found}") from error
    bound.setblocking(False)
    return bound


def _adopt(descriptor: str, port: int) -> socket.socket:
    try:
        adopted = socket.socket(fileno=int(descriptor))
        if adopted.getsockname()[1] != port:
            adopted.close()
            raise ValueError(f"its port is not {port}")
    except (OSError, ValueError) as error:
        raise DeploymentError(
            f"expected AUTOML_LISTEN_FD to name an inherited socket, found {descriptor!r} "
            f"({error}); unset it."
        ) from error
    adopted.set_inheritable(False)
    try:
        # Connections get it from here; what is left of them must not keep the next server away.
        adopted.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        adopted.listen(2048)
    except OSError as error:
        adopted.close()
        raise DeploymentError(
            f"expected to listen on port {port}, which was held for this server, found that it "
            f"cannot be ({error.strerror}); choose another."
        ) from error
    adopted.setblocking(False)
    return adopted


def stop_event() -> asyncio.Event:
    """Returns an event that SIGTERM and SIGINT set; a second signal changes nothing."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    """Calls `act` now and every so many seconds, whatever becomes of it; 0 or less is never."""
    while seconds > 0:
        try:
            await act()
        except Exception:
            logger.exception("what is done at intervals failed; it is tried again")
        await asyncio.sleep(seconds)


async def release_memory() -> None:
    """Hands back what a busy moment has left behind; who allocates waits up to 0.1 s for a GiB."""
    await asyncio.to_thread(release_freed_memory)


def http_server(
    app: Any,
    drain_seconds: float,
    stop: asyncio.Event,
    refusal: bytes,
    idle_seconds: float = IDLE_SECONDS,
) -> uvicorn.Server:
    """Returns a uvicorn server that leaves signals to the process it is part of.

    Once `stop` is set its answers say that the connection ends, so that no client sends another
    request on it at the moment at which it is closed.

    Args:
        app: The ASGI application.
        drain_seconds: How long requests in progress may take in the end.
        stop: Is set when the process is to end.
        refusal: The JSON that answers with status 400 what is not HTTP.
        idle_seconds: How long a client may take between two requests.
    """
    import uvicorn

    from automl_serving.connections import TimedProtocol

    async def leaving(scope: Any, receive: Any, send: Any) -> None:
        async def closing(message: Any) -> None:
            if message["type"] == "http.response.start" and stop.is_set():
                headers = [*message.get("headers", ()), (b"connection", b"close")]
                message = {**message, "headers": headers}
            await send(message)

        await app(scope, receive, closing)

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        leaving,
        http=functools.partial(TimedProtocol, refusal, idle_seconds),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, round(drain_seconds)),
    )
    return Server(config)
