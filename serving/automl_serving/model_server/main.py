"""The command `automl-model-server`: the one place where its parts are put together."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from automl.errors import DeploymentError
from automl.hardware import cores
from automl_serving import lifecycle
from automl_serving.model_server.settings import ModelServerSettings

if TYPE_CHECKING:
    from automl.components import Runtime
    from automl_serving.model_server.config import ModelConfig
    from automl_serving.model_server.execution import Predict, RunInThread
    from automl_serving.model_server.metrics import ServerMetrics

DESCRIPTION = (
    "Serves SavedModels over TF Serving's gRPC and REST protocols: the versions in a folder, or "
    "the models of a configuration. When it is ready it prints one JSON line with its ports."
)


def main(argv: list[str] | None = None) -> None:
    """Runs the command until SIGTERM or SIGINT."""
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for package in ("automl_serving", "automl_plugins"):
        logging.getLogger(package).setLevel(logging.INFO)
    arguments = sys.argv[1:] if argv is None else argv
    lifecycle.run(lambda: _run(arguments))


def _run(arguments: list[str]) -> None:
    import uvloop

    from automl.plugins import load_runtime

    started = time.monotonic()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    settings = ModelServerSettings.parse(arguments, "automl-model-server", DESCRIPTION)
    runtime = load_runtime(settings.runtime)
    rest_socket = lifecycle.listen(settings.host, settings.rest_api_port, "--rest_api_port")
    # gRPC reports a taken port on standard error only; a socket of our own tells first.
    lifecycle.listen(settings.host, settings.port, "--port").close()
    uvloop.run(_serve(settings, runtime, rest_socket, started))


async def _serve(
    settings: ModelServerSettings, runtime: Runtime, rest_socket: socket.socket, started: float
) -> None:
    stop = lifecycle.stop_event()
    grpc_server, port = _bind_grpc(settings)

    from automl_serving.model_server import health
    from automl_serving.model_server.catalog import Catalog
    from automl_serving.model_server.execution import run_in
    from automl_serving.model_server.grpc_api import GrpcApi
    from automl_serving.model_server.loading import Loader
    from automl_serving.model_server.manager import ModelManager
    from automl_serving.model_server.metrics import ServerMetrics
    from automl_serving.model_server.polling import follow_file
    from automl_serving.model_server.rest_api import RestApi

    metrics = ServerMetrics()
    configs = _configs(settings)
    catalog = Catalog()
    manager = ModelManager(
        catalog,
        Loader(runtime, settings.enable_model_warmup, metrics, settings.precision),
        settings.allow_version_labels_for_unavailable_models,
    )
    if settings.file_system_poll_wait_seconds >= 0:
        await _unless_stopped(manager.apply(configs), stop)
    run = run_in(ThreadPoolExecutor(cores(), thread_name_prefix="inference"))
    predict = _predict(settings, run, metrics)
    limit = settings.max_request_bytes
    grpc_api = GrpcApi(catalog, manager, predict, run, metrics, limit)
    timeout = settings.rest_api_timeout_in_ms / 1000
    rest_api = RestApi(catalog, predict, run, metrics, limit, timeout)
    grpc_server.add_generic_rpc_handlers(grpc_api.handlers())
    told = health.Health(grpc_server)
    await told.tell(catalog.is_complete())
    await grpc_server.start()
    refusal = json.dumps({"error": lifecycle.NOT_HTTP}).encode()
    http_server = lifecycle.http_server(rest_api.app(), settings.drain_seconds, stop, refusal)
    serving_http = asyncio.create_task(http_server.serve([rest_socket]))
    lifecycle.announce(
        models=catalog.numbers(),
        host=settings.host,
        port=port,
        rest_api_port=rest_socket.getsockname()[1],
        seconds=round(time.monotonic() - started, 3),
    )

    async def tell() -> None:
        await told.tell(catalog.is_complete())

    watching = [
        asyncio.create_task(lifecycle.every(settings.file_system_poll_wait_seconds, manager.poll)),
        asyncio.create_task(lifecycle.every(health.SECONDS, tell)),
        asyncio.create_task(lifecycle.every(lifecycle.RELEASE_SECONDS, lifecycle.release_memory)),
    ]
    if settings.model_config_file is not None:
        follow = follow_file(manager, settings.model_config_file, configs)
        seconds = settings.model_config_file_poll_wait_seconds
        watching.append(asyncio.create_task(lifecycle.every(seconds, follow)))
    await stop.wait()
    for task in watching:
        task.cancel()
    await told.stop()
    http_server.should_exit = True
    await asyncio.gather(grpc_server.stop(settings.drain_seconds), serving_http)
    # What still runs in a thread, such as the loading of a version, cannot be interrupted.
    os._exit(0)


def _configs(settings: ModelServerSettings) -> Sequence[ModelConfig]:
    from automl_serving.model_server.config import ModelConfig, read_config

    if settings.model_config_file is not None:
        return read_config(settings.model_config_file)
    assert settings.model_base_path is not None
    version = settings.model_version
    specific = frozenset() if version is None else frozenset({version})
    base_path = settings.model_base_path.absolute()
    return [ModelConfig(settings.model_name, base_path, specific=specific)]


def _predict(settings: ModelServerSettings, run: RunInThread, metrics: ServerMetrics) -> Predict:
    from automl_serving.model_server.execution import each_alone

    if not settings.enable_batching:
        return each_alone(run)
    from automl_serving.model_server.batching.batcher import Batcher
    from automl_serving.model_server.batching.parameters import BatchingParameters

    path = settings.batching_parameters_file
    parameters = BatchingParameters() if path is None else BatchingParameters.read(path)
    pool = ThreadPoolExecutor(parameters.threads, thread_name_prefix="batch")
    return Batcher(parameters, run, pool, metrics.batch)


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
    if settings.grpc_socket_path is not None:
        try:
            server.add_insecure_port(f"unix:{settings.grpc_socket_path}")
        except RuntimeError as error:
            raise DeploymentError(
                f"expected a path for a UNIX socket in --grpc_socket_path, found "
                f"{settings.grpc_socket_path}, which cannot be one; choose another."
            ) from error
    return server, port


async def _unless_stopped(loading: Awaitable[None], stop: asyncio.Event) -> None:
    """Waits for the first models, or ends the process if it is to stop before.

    Raises:
        AutomlError: If a model cannot be served.
    """
    work = asyncio.ensure_future(loading)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        # The loading thread cannot be interrupted, and nothing has been served yet.
        os._exit(0)
    stopping.cancel()
    work.result()
