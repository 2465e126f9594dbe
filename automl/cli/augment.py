"""`automl augment`: varied copies of images, and a look at what varies them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.bar import Bar
from automl.cli.options import json_option, print_json
from automl.cli.quiet import without_chatter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from automl.data.dataset import Dataset

COLUMNS = ("path", "label", "split", "group", "parent", "origin", "id")
"""Come first; `id` is what a table calls an image's name."""


@click.group()
def command() -> None:
    """Vary images: look at what does it, or write varied copies.

    A pipeline is an imgaug augmenter in a Python file of yours, given as FILE.py:NAME. A policy is
    what varies training images in a search; see `automl plugins list`.
    """


@command.command("apply")
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
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@json_option
def apply_command(
    images: str, out: str, pipelines: tuple[str, ...], seed: int, as_json: bool
) -> None:
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


@command.command("preview")
@click.argument("images", metavar="IMAGES", type=click.Path())
@click.argument("picture", metavar="PNG", type=click.Path())
@click.option("--policy", metavar="NAME", help="What varies them  [default: the search's]")
@click.option("--pipeline", metavar="FILE.py:NAME", help="Or this.")
@click.option("--rows", type=click.IntRange(1, 100), default=6, show_default=True, help="Images.")
@click.option(
    "--copies", type=click.IntRange(1, 100), default=7, show_default=True, help="Of each image."
)
@click.option(
    "--side", type=click.IntRange(8, 1024), default=128, show_default=True, help="In pixels."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@json_option
def preview_command(
    images: str,
    picture: str,
    policy: str | None,
    pipeline: str | None,
    rows: int,
    copies: int,
    side: int,
    seed: int,
    as_json: bool,
) -> None:
    """Draw some of IMAGES, and beside each what a policy or pipeline makes of it, into PNG."""
    from automl.cli.pipelines import load_pipeline
    from automl.data.dataset import Dataset
    from automl.errors import UsageError
    from automl.files import replacing
    from automl.images import encode_png
    from automl.plugins import plugin_manager

    if policy is not None and pipeline is not None:
        raise UsageError("expected --policy or --pipeline, found both; leave one out.")
    policies = plugin_manager().augmentations
    name = pipeline or policy or policies.names()[0]
    varies = load_pipeline(name) if pipeline else policies[name]
    paths = _spread(Dataset.from_source(images).paths, rows)
    with without_chatter():
        from automl.training import previews

        pictures = _decoded(paths, side)
        sheet = previews.contact_sheet(
            previews.pipeline_rows(varies, list(pictures), copies, seed)
            if pipeline
            else previews.policy_rows(varies, pictures, copies, seed)
        )
    with replacing(Path(picture)) as file:
        file.write(encode_png(sheet))
    if as_json:
        print_json({"picture": str(Path(picture).absolute()), "by": name, "images": paths})
    else:
        click.echo(f"{picture}: {len(paths)} images, the first of each row, varied by {name}.")


def _spread(paths: list[str], most: int) -> list[str]:
    count = min(most, len(paths))
    return [paths[number * len(paths) // count] for number in range(count)]


def _decoded(paths: list[str], side: int) -> NDArray[np.uint8]:
    import numpy as np

    from automl.images import decode

    return np.stack([decode(path, (side, side)) for path in paths])


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
