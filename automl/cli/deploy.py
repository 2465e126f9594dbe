"""`automl deploy`: a model behind a scoring gateway."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from automl.cli.options import (
    WholeNumber,
    json_option,
    print_json,
    signals_as_exits,
    target_option,
    target_options,
    timeout_option,
    workspace_option,
)

if TYPE_CHECKING:
    from automl.deployment import Deployment


@click.command()
@click.argument("model")
@click.option("--name", help="The deployment's name  [default: the model's]")
@click.option(
    "--version",
    type=WholeNumber(min=1),
    metavar="N",
    help="The model's version  [default: the newest]",
)
@click.option("--target", default="local", show_default=True, help="Where to deploy.")
@click.option(
    "--port",
    type=WholeNumber(1, 65535),
    metavar="N",
    help="The port to answer on  [default: a free one]",
)
@target_option
@click.option(
    "--replicas", type=WholeNumber(min=1), metavar="N", help="How many pods (kubernetes)."
)
@click.option(
    "--min-replicas", type=WholeNumber(min=1), metavar="N", help="The fewest, by their load."
)
@click.option(
    "--max-replicas", type=WholeNumber(min=1), metavar="N", help="The most, by their load."
)
@timeout_option
@workspace_option
@json_option
def command(
    model: str,
    name: str | None,
    version: int | None,
    target: str,
    port: int | None,
    settings: tuple[str, ...],
    replicas: int | None,
    min_replicas: int | None,
    max_replicas: int | None,
    timeout: float | None,
    workspace: str | None,
    as_json: bool,
) -> None:
    """Serve MODEL, the name of an exported model or its folder, behind a scoring gateway.

    Returns when the service is ready, and prints its address, its key and what to type next.
    The service goes on until `automl deployments delete NAME`, also when the shell closes.

    Where Docker or a cluster that a target needs is not at hand, the files are written, and what
    is printed starts them.
    """
    from automl.deployment import deploy
    from automl.registry import load_model
    from automl.workspace import Workspace

    options = target_options(
        settings,
        port=port,
        replicas=replicas,
        min_replicas=min_replicas,
        max_replicas=max_replicas,
        timeout=timeout,
    )
    place = Workspace.find(workspace)
    opened = load_model(model, version, place)
    if not as_json:
        click.echo(f"Starting {opened.name} version {opened.version}…", err=True)
    with signals_as_exits():
        deployment = deploy(opened, name, target, place, **options)
    if as_json:
        print_json(
            {
                "name": deployment.name,
                "url": deployment.url,
                "key": deployment.key,
                "model": deployment.model,
                "version": deployment.version,
                "target": deployment.target,
                "seconds": deployment.seconds,
                **written(deployment),
            }
        )
    elif deployment.missing:
        _print_written(deployment)
    else:
        _print(deployment, workspace)


def written(deployment: Deployment) -> dict[str, Any]:
    """Returns why a deployment was only written and what starts it; nothing where it runs."""
    if not deployment.missing:
        return {}
    return {"missing": deployment.missing, "commands": list(deployment.commands)}


def say_missing(missing: str, commands: Sequence[str]) -> None:
    """Prints on standard error what it takes to start what was only written, and what to type."""
    if missing:
        click.echo("\n".join([missing, *commands]), err=True)


def _print_written(deployment: Deployment) -> None:
    commands = "\n".join(f"  {command}" for command in deployment.commands)
    click.echo(
        f"{deployment.name} is written, not started: {deployment.model}, version "
        f"{deployment.version}\n"
        f"  files  {deployment.directory}\n"
        f"  url    {deployment.url}\n"
        f"  key    {deployment.key}\n"
        f"\n"
        f"{deployment.missing}\n"
        f"\n"
        f"Start it with\n{commands}"
    )


def _print(deployment: Deployment, workspace: str | None) -> None:
    where = f" --workspace {shlex.quote(workspace)}" if workspace else ""
    parts = [f"{name} {took:.1f} s" for name, took in deployment.seconds.items()]
    if parts:
        click.echo(", ".join(parts), err=True)
    click.echo(
        f"{deployment.name} is ready: {deployment.model}, version {deployment.version}\n"
        f"  url  {deployment.url}\n"
        f"  key  {deployment.key}\n"
        f"\n"
        f"Score images with\n"
        f"  automl score {deployment.name} PHOTO.jpg{where}\n"
        f"or from anywhere {_near(deployment.url)} with\n"
        f"  curl -H 'Authorization: Bearer {deployment.key}' "
        f"-F images=@PHOTO.jpg {deployment.url}/v1/score\n"
        f"\n"
        f"End it with\n"
        f"  automl deployments delete {deployment.name}{where}"
    )


def _near(url: str) -> str:
    """Returns where a service's address can be reached from."""
    from automl.downloads.addresses import is_loopback

    here = is_loopback(urlsplit(url).hostname or "")
    return "on this machine" if here else "in the same network"
