"""`automl augment`: a look at what varies images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.options import WholeNumber, json_option, print_json
from automl.cli.quiet import without_chatter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@click.group()
def command() -> None:
    """Look at what varies images.

    A pipeline is an imgaug augmenter in a Python file of yours, given as FILE.py:NAME. A policy is
    what varies training images in a search; see `automl plugins list`.
    """


@command.command("preview")
@click.argument("images", metavar="IMAGES", type=click.Path())
@click.argument("picture", metavar="PNG", type=click.Path())
@click.option("--policy", metavar="NAME", help="What varies them  [default: the search's]")
@click.option("--pipeline", metavar="FILE.py:NAME", help="Or this.")
@click.option("--rows", type=WholeNumber(1, 100), default=6, show_default=True, help="Images.")
@click.option(
    "--copies", type=WholeNumber(1, 100), default=7, show_default=True, help="Of each image."
)
@click.option(
    "--side", type=WholeNumber(8, 1024), default=128, show_default=True, help="In pixels."
)
@click.option("--seed", type=WholeNumber(0), default=0, show_default=True)
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
