"""The command `automl-model-server`: the one place where its parts are put together."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from automl.errors import AutomlError, ExportError
from automl_serving import lifecycle
from automl_serving.model_server.models import find_version
from automl_serving.model_server.settings import ModelServerSettings

logger = logging.getLogger(__name__)

DESCRIPTION = (
    "Serves one version of a SavedModel over TF Serving's gRPC and REST protocols. When it is "
    "ready it prints one JSON line with its ports."
)


def main(argv: list[str] | None = None) -> None:
    """Runs the command until SIGTERM or SIGINT."""
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    arguments = sys.argv[1:] if argv is None else argv
    lifecycle.run(lambda: _run(arguments))


def _run(arguments: list[str]) -> None:
    started = time.monotonic()
    settings = ModelServerSettings.parse(arguments, "automl-model-server", DESCRIPTION)
    version, path = find_version(settings.model_base_path, settings.model_version)
    rest_socket = lifecycle.listen(settings.host, settings.rest_api_port, "--rest_api_port")
    # gRPC reports a taken port on standard error only; a socket of our own tells first.
    lifecycle.listen(settings.host, settings.port, "--port").close()
    loading = _load(settings, path)
    asyncio.run(_serve(settings, version, loading, rest_socket, started))


def _load(settings: ModelServerSettings, path: Path) -> Future[Any]:
    """Begins to load the model in a thread: importing an engine alone takes seconds."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    loading: Future[Any] = Future()

    def load() -> None:
        from automl.plugins import load_runtime

        try:
            loading.set_result(load_runtime(settings.runtime).load(path))
        except BaseException as error:
            loading.set_exception(error)

    threading.Thread(target=load, name="load", daemon=True).start()
    return loading


async def _serve(
    settings: ModelServerSettings,
    version: int,
    loading: Future[Any],
    rest_socket: socket.socket,
    started: float,
) -> None:
    stop = lifecycle.stop_event()
    grpc_server, port = _bind_grpc(settings)
    model = await _first(asyncio.wrap_future(loading), stop)
    if model is None:
        # The loading thread cannot be interrupted, and nothing has been served yet.
        os._exit(0)

    from automl_serving.model_server.grpc_api import MODEL_SERVICE, PREDICTION_SERVICE, GrpcApi
    from automl_serving.model_server.models import ServedModel
    from automl_serving.model_server.rest_api import RestApi
    from automl_serving.model_server.servable import Servable

    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="inference")

    def run(function: Any) -> asyncio.Future[Any]:
        return loop.run_in_executor(pool, function)

    servable = Servable(settings.model_name, version, model)
    try:
        await run(servable.warm_up)
    except Exception as error:
        logger.warning("the model could not be warmed up: %s", error)
    models = ServedModel(servable)
    grpc_api = GrpcApi(models, run, settings.max_request_bytes)
    rest_api = RestApi(models, run, settings.max_request_bytes)
    grpc_server.add_generic_rpc_handlers(grpc_api.handlers())
    health = await _add_health(grpc_server, ["", PREDICTION_SERVICE, MODEL_SERVICE])
    await grpc_server.start()
    http_server = lifecycle.http_server(rest_api.app(), settings.drain_seconds)
    serving_http = asyncio.create_task(http_server.serve([rest_socket]))
    lifecycle.announce(
        model=servable.name,
        version=version,
        host=settings.host,
        port=port,
        rest_api_port=rest_socket.getsockname()[1],
        seconds=round(time.monotonic() - started, 3),
    )
    await stop.wait()
    await health.enter_graceful_shutdown()
    http_server.should_exit = True
    await asyncio.gather(grpc_server.stop(settings.drain_seconds), serving_http)
    pool.shutdown(wait=False, cancel_futures=True)


def _bind_grpc(settings: ModelServerSettings) -> tuple[Any, int]:
    import grpc

    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", settings.max_request_bytes),
            ("grpc.max_send_message_length", -1),
        ]
    )
    port = server.add_insecure_port(lifecycle.address(settings.host, settings.port))
    return server, port


async def _add_health(server: Any, services: list[str]) -> Any:
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc

    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    for service in services:
        await servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
    return servicer


async def _first(loading: asyncio.Future[Any], stop: asyncio.Event) -> Any:
    """Returns the loaded model, or `None` if the server is to stop before that.

    Raises:
        AutomlError: If the model cannot be loaded.
    """
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([loading, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not loading.done():
        return None
    stopping.cancel()
    error = loading.exception()
    if error is not None and not isinstance(error, AutomlError):
        raise ExportError(
            f"expected a model that can be loaded, found {type(error).__name__}: {error}; "
            f"export it again."
        ) from error
    return loading.result()
