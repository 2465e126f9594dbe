"""`automl evaluate`: measures a found model on other images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.options import json_option, print_json, print_table, workspace_option
from automl.cli.quiet import without_chatter

if TYPE_CHECKING:
    from automl.evaluation.metrics import Evaluation
    from automl.registry import Model
    from automl.workspace import Workspace


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("images", metavar="IMAGES", type=click.Path())
@click.option("--save", metavar="DIR", type=click.Path(), help="Write the pictures here, as PNG.")
@workspace_option
@json_option
def command(run: str, images: str, save: str | None, workspace: str | None, as_json: bool) -> None:
    """Measure the model of RUN on IMAGES, anything that a search takes.

    RUN is a run's id, or an experiment's or model's name for its newest version.
    """
    from automl.cli.trained_on import trained_on
    from automl.cli.wording import percent
    from automl.data.dataset import Dataset
    from automl.workspace import Workspace

    dataset = Dataset.from_source(images, workspace)
    place = Workspace.find(workspace)
    model = _model(run, place)
    seen = trained_on(model, dataset, place)
    with without_chatter():
        evaluation = model.evaluate(dataset)
    pictures = _save_pictures(evaluation, Path(save)) if save else []
    if as_json:
        print_json(
            {
                "model": model.name,
                "version": model.version,
                **evaluation.summary(),
                "trained_on": seen,
                "confusion_matrix": evaluation.confusion_matrix.tolist(),
                "labels": list(evaluation.labels),
                "pictures": [str(path) for path in pictures],
            }
        )
        return
    rows = [
        (
            row.label,
            percent(row.precision),
            percent(row.recall),
            percent(row.f1),
            percent(row.roc_auc),
            str(row.support),
        )
        for row in evaluation.per_class
    ]
    print_table(("CLASS", "PRECISION", "RECALL", "F1", "ROC AREA", "IMAGES"), rows)
    low, high = evaluation.balanced_accuracy_interval()
    click.echo(
        f"\n{model.name} version {model.version} on {evaluation.test_images:,} images: "
        f"class-averaged accuracy {percent(evaluation.balanced_accuracy)} (95 % interval "
        f"{percent(low)} to {percent(high)}), accuracy {percent(evaluation.accuracy)}."
    )
    if seen:
        click.echo(
            f"It was trained on {seen:,} of these {len(dataset):,} images, so that these figures "
            f"are better than those of new ones."
        )
    for path in pictures:
        click.echo(path)


def _model(run: str, workspace: Workspace) -> Model:
    from automl.errors import NotFoundError
    from automl.registry import load_model
    from automl.tuning.run import find_run

    try:
        return load_model(run, workspace=workspace)
    except NotFoundError:
        return find_run(workspace, run).best


def _save_pictures(evaluation: Evaluation, folder: Path) -> list[Path]:
    from automl.evaluation import pictures
    from automl.files import replacing

    saved = []
    for draw in (
        pictures.confusion_matrix,
        pictures.roc_curves,
        pictures.pr_curves,
        pictures.reliability_diagram,
    ):
        path = folder / f"{draw.__name__}.png"
        with replacing(path) as file:
            file.write(draw(evaluation).png())
        saved.append(path)
    return saved
