"""`automl dataset clean`: accepted findings as a new version."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from automl.cli.dataset import as_object
from automl.cli.options import json_option, print_json, workspace_option
from automl.errors import DataError, NotFoundError


@click.command("clean")
@click.argument("name", metavar="NAME")
@click.option(
    "--accept",
    multiple=True,
    required=True,
    metavar="KIND[:N]",
    help="A kind of finding to apply, or the first N of it; repeatable.",
)
@click.option(
    "--findings",
    metavar="FILE",
    type=click.Path(),
    help="An edited copy of audit.json  [default: the version's own, by `automl dataset check`]",
)
@workspace_option
@json_option
def command(
    name: str, accept: Sequence[str], findings: str | None, workspace: str | None, as_json: bool
) -> None:
    """Apply accepted findings to NAME, as its next version.

    Copies, blank, odd and unreadable images leave the list, wrong labels become the suggested
    ones. No file is touched, and the version before stays as it is.
    """
    from automl.audit.clean import chosen, cleaned
    from automl.data.store import load_dataset, save_dataset
    from automl.workspace import Workspace

    place = Workspace.find(workspace)
    stored = load_dataset(name, None, place)
    path = Path(findings) if findings else stored.path / "audit.json"
    dataset, changes = cleaned(stored.open(), chosen(_read(path, stored.name), accept))
    made = save_dataset(
        place,
        stored.name,
        dataset,
        stored.facts["source"],
        parent=stored.version,
        changes=changes,
    )
    if as_json:
        print_json(as_object(made))
    else:
        click.echo(f"{made.name}@{made.version}: {changes}; {len(dataset):,} images are left.")


def _read(path: Path, name: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["findings"]
        for finding in found:
            finding["kind"], list(finding["images"])
            if finding["kind"] == "label_error":
                str(finding["suggested"])
    except FileNotFoundError:
        raise NotFoundError(
            f"expected findings at {path}, found none; check it with `automl dataset check {name}`."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"expected findings as `automl dataset check` writes them, found {path} to be "
            f"something else; check again."
        ) from error
    return found
