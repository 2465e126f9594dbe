"""`automl dataset augment`: varied copies of a dataset's training images."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.bar import Bar
from automl.cli.options import WholeNumber, json_option, print_json

if TYPE_CHECKING:
    from automl.data.dataset import Dataset

COLUMNS = ("path", "label", "split", "group", "parent", "origin", "id")
"""Come first; `id` is what a table calls an image's name."""


@click.command("augment")
@click.argument("images", metavar="IMAGES", type=click.Path())
@click.argument("out", metavar="OUT", type=click.Path())
@click.option(
    "--pipeline",
    "pipelines",
    multiple=True,
    required=True,
    metavar="FILE.py:NAME",
    help="Makes a copy of each training image; repeatable.",
)
@click.option("--seed", type=WholeNumber(0), default=0, show_default=True)
@json_option
def command(images: str, out: str, pipelines: tuple[str, ...], seed: int, as_json: bool) -> None:
    """Write a varied copy of each training image in IMAGES for each pipeline.

    The copies go into the folder OUT, and OUT/images.csv lists them after the images, which stay
    where they are. Copies have their image's group, so that no split parts them.
    """
    from automl.cli.pipelines import load_pipeline
    from automl.data.augmenting import augment_dataset
    from automl.data.dataset import Dataset
    from automl.files import replacing

    dataset = Dataset.from_source(images)
    loaded = [load_pipeline(text) for text in pipelines]
    with Bar("varying images") as bar:
        found = augment_dataset(dataset, loaded, Path(out) / "copies", seed, bar.update)
    table = Path(out).absolute() / "images.csv"
    with replacing(table) as file:
        file.write(_as_csv(found).encode())
    copies = len(found) - len(dataset)
    if as_json:
        print_json({"table": str(table), "images": len(dataset), "copies": copies})
    else:
        click.echo(f"{copies:,} copies of {len(dataset):,} images, listed in {table}.")


def _as_csv(dataset: Dataset) -> str:
    text = io.StringIO()
    others = [name for name in dataset.table.column_names if name not in (*COLUMNS, "name")]
    columns = (*COLUMNS, *others)
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in dataset.table.to_pylist():
        # Each row has a group: an empty cell could be taken for one of all that have none.
        path = str(Path(row["path"]).absolute())
        group = row["group"] or row["id"]
        writer.writerow({**row, "path": path, "group": group, "id": row.get("name")})
    return text.getvalue()
