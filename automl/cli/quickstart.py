"""`automl quickstart`: the whole job, from images to scores over HTTP, on handwritten digits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.options import Duration, json_option, print_json, workspace_option

if TYPE_CHECKING:
    from automl.client import ScoredImage
    from automl.tuning.run import Run

NAME = "quickstart"
SCORED = 3


@click.command()
@click.option(
    "--budget",
    type=Duration(),
    default="60s",
    show_default=True,
    metavar="TIME",
    help="For the search.",
)
@workspace_option
@json_option
def command(budget: float, workspace: str | None, as_json: bool) -> None:
    """See the whole job on 1,797 scans of handwritten digits, with no network.

    Makes an image folder, searches, measures on held-out images, writes the report and the
    SavedModel, serves it, scores three held-out images over HTTP, and stops the server.
    """
    from automl.quickstart import write_digits
    from automl.workspace import Workspace

    place = Workspace.find(workspace)
    folder = place.root / "quickstart" / "digits"
    count = write_digits(folder)
    _say(f"1. {count:,} images of handwritten digits in {folder}", as_json)

    from automl.cli import search

    _say(f"2. automl search {folder} --name {NAME} --budget {budget:g}s\n", as_json)
    run = search.run(str(folder), str(place.root), name=NAME, budget=budget)
    if not as_json:
        from automl.cli.summary import print_summary

        print_summary(run, workspace)
    results = _serve_and_score(run, str(place.root), as_json)
    if as_json:
        print_json({**search.as_object(run), "scored": results})
    else:
        click.echo("\nNow on photos of your own: automl search FOLDER")


def _serve_and_score(run: Run, workspace: str, as_json: bool) -> list[ScoredImage]:
    from automl.deployment import deploy

    model = run.best
    _say(f"\n3. automl deploy {model.name}", as_json)
    service = deploy(
        model.name, name=f"{NAME}-{run.id}", version=model.version, workspace=workspace
    )
    try:
        _say(f"   ready at {service.url}", as_json)
        evaluation = run.evaluation
        step = max(1, evaluation.test_images // SCORED)
        paths = list(evaluation.paths or ())[::step][:SCORED]
        _say(f"4. automl score {service.name} (three held-out images, over HTTP)", as_json)
        results = service.score(paths)
        for result in results:
            _say(f"   {_line(result)}", as_json)
    finally:
        service.delete()
    _say("5. The server is stopped.", as_json)
    return results


def _line(result: ScoredImage) -> str:
    from automl.cli.wording import percent

    path = Path(result["image"])
    if "error" in result:
        return f"{path.name}: {result['error']['message']}"
    return f"{path.parent.name}/{path.name}: {result['label']} ({percent(result['probability'])})"


def _say(text: str, as_json: bool) -> None:
    """Speaks on standard error under `--json`, which leaves standard output to the result."""
    click.echo(text, err=as_json)
