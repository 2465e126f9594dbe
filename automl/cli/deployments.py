"""`automl deployments`: what is being served."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import click

from automl.cli.deploy import say_missing, written
from automl.cli.options import (
    WholeNumber,
    json_option,
    print_json,
    print_table,
    signals_as_exits,
    target_option,
    target_options,
    timeout_option,
    workspace_option,
)

if TYPE_CHECKING:
    from automl.deployment import Deployment

_FIELDS = ("name", "status", "model", "version", "target", "url", "created")


@click.group()
def command() -> None:
    """List deployments, look into them, update and delete them."""


@command.command("list")
@workspace_option
@json_option
def list_(workspace: str | None, as_json: bool) -> None:
    """List the deployments and their states.

    The states are asked for at this moment. ready: it scores; starting: not yet; degraded: a
    part of it has ended or does not answer; stopped: nothing of it runs, and `automl
    deployments delete` frees its name; written: its files are there, and nothing was started
    from here; unknown: there is nothing here to ask.
    """
    from automl.deployment import list_deployments
    from automl.workspace import Workspace

    found = Workspace.find(workspace)
    deployments = list_deployments(found)
    with ThreadPoolExecutor(16) as pool:  # one that hangs does not hold up the others
        rows = list(pool.map(_asked, deployments))
    if as_json:
        print_json({"deployments": rows})
    elif not rows:
        click.echo(f"No deployments in {found.root}; `automl deploy MODEL` makes one.")
    else:
        print_table(
            [name.upper() for name in _FIELDS],
            [[str(row[name]) or "-" for name in _FIELDS] for row in rows],
        )


@command.command()
@click.argument("name")
@workspace_option
@json_option
@click.pass_context
def status(context: click.Context, name: str, workspace: str | None, as_json: bool) -> None:
    """Tell the state of one deployment.

    The exit code is 0 if it is ready and 1 otherwise.
    """
    from automl.deployment import get_deployment

    found = get_deployment(name, workspace)
    row = _row(found, found.status())
    told = written(found) if row["status"] == "written" else {}
    if as_json:
        print_json({**row, **told})
    else:
        click.echo(row["status"])
    if told:
        say_missing(**told)
    if row["status"] != "ready":
        context.exit(1)


@command.command()
@click.argument("name")
@click.option(
    "--version",
    type=WholeNumber(min=1),
    metavar="N",
    help="The model's version  [default: the newest]",
)
@target_option
@timeout_option
@workspace_option
@json_option
def update(
    name: str,
    version: int | None,
    settings: tuple[str, ...],
    timeout: float | None,
    workspace: str | None,
    as_json: bool,
) -> None:
    """Let another version of its model take a deployment over.

    It comes up beside the one that serves, and must score as it did when it was exported. Then it
    takes over: address and key stay, and no request is lost. Otherwise what served goes on.

    With --version it can be the same version with other options of the target, of which those that
    are not named stay.
    """
    from automl.deployment import get_deployment

    options = target_options(settings, timeout=timeout)
    found = get_deployment(name, workspace)
    with signals_as_exits():
        done = found.update(version, **options)
    if as_json:
        print_json({"name": name, "url": done.url, "version": done.version, "was": found.version,
                    **written(done)})  # fmt: skip
    elif done.missing:
        click.echo(f"{name} is written for version {done.version}, was {found.version}.")
        say_missing(done.missing, done.commands)
    else:
        click.echo(f"{name} serves version {done.version} of {done.model}, was {found.version}.")


@command.command()
@click.argument("name")
@click.option(
    "--lines",
    type=WholeNumber(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="How many of each log's last lines.",
)
@workspace_option
@json_option
def logs(name: str, lines: int, workspace: str | None, as_json: bool) -> None:
    """Show the ends of a deployment's logs.

    Whole, they are files in `deployments/NAME` in the workspace.
    """
    from automl.deployment import get_deployment

    ends = {log: said[-lines:] for log, said in get_deployment(name, workspace).logs().items()}
    if as_json:
        print_json({"logs": ends})
        return
    for log, said in ends.items():
        click.echo(f"== {log}")
        for line in said:
            click.echo(line)


@command.command()
@click.argument("name")
@workspace_option
@json_option
def build(name: str, workspace: str | None, as_json: bool) -> None:
    """Build the container images that serve a deployment's model and version.

    What they are built from is written in any case; the images are built where Docker is.
    """
    from automl.deployment import get_deployment

    images = get_deployment(name, workspace).build_image()
    if as_json:
        print_json({"folder": str(images.folder), "images": list(images.tags),
                    "missing": images.missing, "commands": list(images.commands)})  # fmt: skip
        return
    for tag in images.tags:
        click.echo(tag)
    say_missing(images.missing, images.commands)


@command.command()
@click.argument("name")
@workspace_option
@json_option
def delete(name: str, workspace: str | None, as_json: bool) -> None:
    """Take a deployment down.

    Its record, key and logs are removed, and its name is free again.
    """
    from automl.deployment import get_deployment

    get_deployment(name, workspace).delete()
    if as_json:
        print_json({"deleted": name})
    else:
        click.echo(f"Deleted {name}.")


def _asked(deployment: Deployment) -> dict[str, Any]:
    from automl.errors import AutomlError

    status = "unknown"
    with contextlib.suppress(AutomlError):  # `automl deployments status` says why
        status = deployment.status()
    return _row(deployment, status)


def _row(deployment: Deployment, status: str) -> dict[str, Any]:
    return {name: getattr(deployment, name) for name in _FIELDS if name != "status"} | {
        "status": status
    }
