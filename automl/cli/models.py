"""`automl models`: what has been exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from automl.cli.options import json_option, print_json, print_table, workspace_option

if TYPE_CHECKING:
    from automl.registry import Model


@click.group()
def command() -> None:
    """List exported models.

    Each search exports the best model it found as the next version of its name.
    """


@command.command("list")
@workspace_option
@json_option
def list_(workspace: str | None, as_json: bool) -> None:
    """List model versions with their held-out accuracy."""
    from automl.registry import list_models
    from automl.workspace import Workspace

    found = Workspace.find(workspace)
    rows = [_row(model) for model in list_models(found)]
    if as_json:
        print_json({"models": rows})
    elif not rows:
        click.echo(f"No models in {found.root} yet; `automl search FOLDER` makes one.")
    else:
        print_table(
            ("NAME", "VERSION", "CLASSES", "BALANCED", "ACCURACY", "SIZE", "CREATED", "PATH"),
            [
                (
                    row["name"],
                    str(row["version"]),
                    str(len(row["labels"])),
                    _percent(row["balanced_accuracy"]),
                    _percent(row["accuracy"]),
                    f"{row['size_mb']:.1f} MB",
                    row["created"],
                    row["path"],
                )
                for row in rows
            ],
        )


def _row(model: Model) -> dict[str, Any]:
    metrics = model.manifest.metrics
    return {
        "name": model.name,
        "version": model.version,
        "path": str(model.path),
        "labels": list(model.labels),
        "accuracy": metrics.get("accuracy"),
        "balanced_accuracy": metrics.get("balanced_accuracy"),
        "created": model.manifest.created,
        "size_mb": round(model.size / 1e6, 3),
    }


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
