"""The command `automl-gateway`: the one place where its parts are put together."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from automl.manifest import Manifest
from automl.memory import share_freed_memory
from automl_serving import lifecycle
from automl_serving.gateway.keys import KeyFile
from automl_serving.gateway.settings import GatewaySettings

DESCRIPTION = (
    "Scores pictures over HTTP with a model behind a server of TF Serving's protocol. When it "
    "listens it prints one JSON line with its address."
)


def main(argv: list[str] | None = None) -> None:
    """Runs the command until SIGTERM or SIGINT."""
    arguments = sys.argv[1:] if argv is None else argv
    share_freed_memory()
    lifecycle.run(lambda: _run(arguments))


def _run(arguments: list[str]) -> None:
    import uvloop

    started = time.monotonic()
    settings = GatewaySettings.parse(arguments, "automl-gateway", DESCRIPTION)
    manifest = _read_manifest(settings.manifest)
    others = [
        _read_manifest(path) if path else None
        for path in (settings.canary_manifest, settings.shadow_manifest)
    ]
    keys = None if settings.keys_file is None else KeyFile(settings.keys_file)
    listening = lifecycle.listen(settings.host, settings.port, "--port")
    _log_as_json()
    uvloop.run(_serve(settings, manifest, others, keys, listening, started))


def _read_manifest(path: Path) -> Manifest:
    return Manifest.read(path) if path.is_dir() else Manifest.read_file(path)


def _log_as_json() -> None:
    from automl_serving.gateway.observe import JsonFormatter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("automl_serving").setLevel(logging.INFO)
    # Thousands of lines for a damaged image, whose sender is told anyway.
    warnings.filterwarnings("ignore", module="PIL")


async def _serve(
    settings: GatewaySettings,
    manifest: Manifest,
    others: Sequence[Manifest | None],
    keys: KeyFile | None,
    listening: socket.socket,
    started: float,
) -> None:
    from automl_serving.gateway import answers
    from automl_serving.gateway.app import Gateway
    from automl_serving.gateway.errors import BadRequestError
    from automl_serving.gateway.labels import Label
    from automl_serving.gateway.releases import Version
    from automl_serving.gateway.upstream import Upstream

    stop = lifecycle.stop_event()

    def version(of: Manifest) -> Version:
        return Version(of, Upstream(settings.upstream, settings.model, of.version))

    served = version(manifest)
    canary, shadow = (version(other) if other else None for other in others)
    gateway = Gateway(settings, served, keys, canary, shadow)
    folder = settings.manifest.absolute().parent
    labels = [
        Label(name, folder, served.upstream, version, put)
        for name, put in (
            (settings.canary_label, gateway.releases.try_out),
            (settings.shadow_label, gateway.releases.keep_in_shadow),
        )
        if name
    ]
    beside = [asyncio.create_task(label.follow()) for label in labels]
    beside.append(
        asyncio.create_task(lifecycle.every(lifecycle.RELEASE_SECONDS, lifecycle.release_memory))
    )
    refusal = answers.problem(400, BadRequestError.code, lifecycle.NOT_HTTP).body
    server = lifecycle.http_server(
        gateway.app(),
        settings.drain_seconds,
        stop,
        bytes(refusal),
        settings.keep_alive_seconds,
    )
    serving = asyncio.create_task(server.serve([listening]))
    port = listening.getsockname()[1]
    lifecycle.announce(
        url=f"http://{lifecycle.address(settings.host, port)}",
        port=port,
        model=settings.model,
        version=manifest.version,
        seconds=round(time.monotonic() - started, 3),
    )
    await stop.wait()
    gateway.stop()
    await asyncio.sleep(settings.shutdown_delay)
    server.should_exit = True
    await serving
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    for label in labels:
        await label.close()
    for one in (served, canary, shadow):
        if one is not None:
            await one.upstream.close()
