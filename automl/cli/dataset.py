"""`automl dataset`: images by name, in versions that never change."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from automl.cli.bar import Bar
from automl.cli.options import (
    assignments,
    json_option,
    print_json,
    print_table,
    workspace_option,
)

if TYPE_CHECKING:
    from automl.data.store import StoredDataset

MOST_REJECTED = 20
"""The most rejected rows to print; all are in dataset.json."""


_ELSEWHERE = {
    "check": "automl.cli.dataset_check",
    "clean": "automl.cli.dataset_clean",
    "augment": "automl.cli.dataset_augment",
}
"""Commands that have a file of their own."""


class _Group(click.Group):
    """Finds the commands of other files, which are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands, *_ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _ELSEWHERE:
            found: click.Command = importlib.import_module(_ELSEWHERE[cmd_name]).command
            return found
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Group)
def command() -> None:
    """Make, list, show, check, clean and augment datasets.

    A dataset is a list of images and labels, kept in the workspace under a name, in versions that
    never change. The images stay where they are.
    """


@command.command("create")
@click.argument("name", metavar="NAME")
@click.argument("source", metavar="SOURCE", type=click.Path())
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="OPTION=VALUE",
    help="An option of the source, such as provider=flickr or count=200 for a query file; "
    "repeatable.",
)
@workspace_option
@json_option
def create_command(
    name: str, source: str, settings: tuple[str, ...], workspace: str | None, as_json: bool
) -> None:
    """Make the next version of NAME from SOURCE.

    SOURCE is a folder of class folders, one that is split already (train/ val/ test/), a table
    (CSV, JSONL, Parquet), IDX files, or a zip or tar of any of these, which is unpacked into the
    workspace; or a query file (JSON), which says what to look for on the web. Every file is read
    once, for its id.
    """
    from automl.data.dataset import Dataset
    from automl.data.store import save_dataset
    from automl.workspace import Workspace, check_name

    check_name(name, "dataset")
    options = assignments(settings, "provider=flickr")
    place = Workspace.find(workspace)
    with Bar("reading images") as bar:
        dataset = Dataset.from_source(source, place, options, bar.update)
    stored = save_dataset(place, name, dataset, _address(source))
    if as_json:
        print_json(as_object(stored))
    else:
        _print_rejected(stored)
        click.echo(f"{stored.name}@{stored.version}: {_summary(stored)}.")
        click.echo(f"Next: automl dataset show {name}, or automl search {name}")


@command.command("list")
@workspace_option
@json_option
def list_command(workspace: str | None, as_json: bool) -> None:
    """List the workspace's datasets."""
    from automl.data.store import list_datasets
    from automl.workspace import Workspace

    place = Workspace.find(workspace)
    found = list_datasets(place)
    if as_json:
        print_json({"datasets": [as_object(stored) for stored in found]})
    elif not found:
        click.echo(
            f"No datasets in {place.root} yet; `automl dataset create NAME SOURCE` makes one."
        )
    else:
        print_table(
            ("NAME", "VERSION", "IMAGES", "CLASSES", "CREATED", "SOURCE"),
            [
                (
                    stored.name,
                    str(stored.version),
                    f"{stored.facts['images']:,}",
                    str(len(stored.facts["classes"])),
                    stored.facts["created"],
                    stored.facts["source"],
                )
                for stored in found
            ],
        )


@command.command("show")
@click.argument("name", metavar="NAME")
@workspace_option
@json_option
def show_command(name: str, workspace: str | None, as_json: bool) -> None:
    """Show the images by class and split of NAME, or of NAME@VERSION."""
    from automl.data.store import load_dataset
    from automl.workspace import Workspace

    stored = load_dataset(name, None, Workspace.find(workspace))
    dataset = stored.open()
    splits = sorted({split or "-" for split in dataset.table.column("split").to_pylist()})
    counts = [
        dict(dataset.filter(split=None if split == "-" else split).counts) for split in splits
    ]
    if as_json:
        by_split = dict(zip(splits, counts, strict=True))
        print_json({**as_object(stored), "splits": by_split})
        return
    _print_rejected(stored)
    headings = ("CLASS", *("IMAGES" if split == "-" else split.upper() for split in splits))
    rows = [(label, *(f"{part[label]:,}" for part in counts)) for label in dataset.labels]
    print_table(headings, rows)
    click.echo(
        f"\n{stored.name}@{stored.version}: {_summary(stored)}, from {stored.facts['source']}."
    )
    if "changes" in stored.facts:
        click.echo(f"Made of {stored.name}@{stored.facts['parent']}: {stored.facts['changes']}.")
    click.echo(f"Content: {stored.facts['fingerprint']}")


def as_object(stored: StoredDataset) -> dict[str, Any]:
    """Returns a version as `--json` prints it."""
    return {
        "name": stored.name,
        "version": stored.version,
        "path": str(stored.path),
        **{key: value for key, value in stored.facts.items() if key not in ("name", "version")},
    }


def _summary(stored: StoredDataset) -> str:
    images, classes = stored.facts["images"], len(stored.facts["classes"])
    return (
        f"{images:,} image{'' if images == 1 else 's'} in {classes} "
        f"class{'' if classes == 1 else 'es'}"
    )


def _print_rejected(stored: StoredDataset) -> None:
    rejected = stored.facts["rejected"]
    for reason in rejected[:MOST_REJECTED]:
        click.echo(f"Left out: {reason}", err=True)
    if len(rejected) > MOST_REJECTED:
        rest = len(rejected) - MOST_REJECTED
        click.echo(f"… and {rest:,} more, all in {stored.path / 'dataset.json'}.", err=True)


def _address(source: str) -> str:
    return str(Path(source).absolute()) if Path(source).exists() else source
