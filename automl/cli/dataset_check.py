"""`automl dataset check`: what is wrong with a dataset."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.bar import Bar
from automl.cli.options import json_option, print_json, print_table, workspace_option
from automl.cli.quiet import without_chatter

if TYPE_CHECKING:
    from automl.data.dataset import Dataset
    from automl.workspace import Workspace

_TITLES = {"read": "reading images", "look at": "looking at images"}


@click.command("check")
@click.argument("images", metavar="NAME|PATH", type=click.Path())
@click.option("--quick", is_flag=True, help="Only files, copies and classes; no network looks.")
@click.option(
    "--save",
    metavar="DIR",
    type=click.Path(),
    help="Write audit.html and audit.json here  [default: beside the dataset's index]",
)
@workspace_option
@json_option
def command(
    images: str, quick: bool, save: str | None, workspace: str | None, as_json: bool
) -> None:
    """Look for what is wrong with a dataset, or with anything that a search takes.

    Unreadable files, the same picture twice or in several splits, pictures that are blank or of
    odd sizes, classes that are small, labels that a model doubts, and outliers. Nothing is changed.
    """
    from automl import __version__
    from automl.audit.check import check
    from automl.audit.report import as_object, write_audit
    from automl.cache import Cache
    from automl.workspace import Workspace

    place = Workspace.find(workspace)
    dataset, title, folder = _opened(images, place)
    if not as_json:
        click.echo(f"Looking at {len(dataset):,} images …", err=True)
    with Bar("reading images") as bar, without_chatter():
        audit = check(
            dataset,
            Cache(place.cache, time.time()),
            not quick,
            lambda what, done, total: bar.update(done, total, _TITLES[what]),
        )
    page, listing = write_audit(Path(save) if save else folder, title, audit, __version__)
    if as_json:
        print_json({**as_object(audit), "report": str(page), "json": str(listing)})
        return
    counts = Counter(finding.kind for finding in audit.findings)
    if counts:
        print_table(("FINDING", "NUMBER"), [(kind, f"{n:,}") for kind, n in counts.items()])
    click.echo(f"\n{len(audit.findings):,} findings in {audit.images:,} images of {title}.")
    for note in audit.notes:
        click.echo(note)
    click.echo(f"Report: {page}")


def _opened(images: str, place: Workspace) -> tuple[Dataset, str, Path]:
    """Returns the dataset, what to call it, and where its report goes."""
    from automl.data.dataset import Dataset
    from automl.data.store import find_named, load_dataset

    if find_named(place, images) is not None:
        stored = load_dataset(images, None, place)
        return stored.open(), f"{stored.name}@{stored.version}", stored.path
    return Dataset.from_source(images, place), Path(images).absolute().name, Path.cwd()
