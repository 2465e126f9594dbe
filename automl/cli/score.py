"""`automl score`: what a deployment sees in images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from automl.cli.options import (
    WholeNumber,
    json_option,
    print_json,
    print_table,
    service,
    workspace_option,
)

if TYPE_CHECKING:
    from automl.client import ScoredImage


@click.command()
@click.argument("deployment", metavar="NAME|URL")
@click.argument("images", metavar="IMAGES...", nargs=-1, required=True)
@click.option(
    "--key",
    envvar="AUTOML_KEY",
    help="The service's key; needed with a URL only, best given as $AUTOML_KEY.",
)
@click.option(
    "--top-k",
    type=WholeNumber(min=1),
    metavar="N",
    help="How many classes to show, most probable first  [default: 1; with --json all]",
)
@workspace_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    deployment: str,
    images: tuple[str, ...],
    key: str | None,
    top_k: int | None,
    workspace: str | None,
    as_json: bool,
) -> None:
    """Score IMAGES, files or web addresses, on the deployment NAME or on the gateway at URL.

    An image that cannot be scored is reported and the others are scored; the exit code is 1
    then.
    """
    from automl.client import ScoringClient

    url, key = service(deployment, key, workspace)
    with ScoringClient(url, key) as client:
        results = client.score(images, top_k)
    if as_json:
        print_json({"results": results})
    else:
        _print(results, top_k or 1)
    if any("error" in result for result in results):
        context.exit(1)


def _print(results: list[ScoredImage], top_k: int) -> None:
    rows = [
        (result["image"] if place == 0 else "", label, f"{100 * probability:.1f} %")
        for result in results
        if "error" not in result
        for place, (label, probability) in enumerate(list(result["scores"].items())[:top_k])
    ]
    if rows:
        print_table(("IMAGE", "LABEL", "PROBABILITY"), rows)
    for result in results:
        if "error" in result:
            click.echo(f"Error: {result['image']}: {result['error']['message']}", err=True)
