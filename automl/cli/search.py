"""`automl search`: from a folder of images to a measured, exported classifier."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Any

import click

from automl.cli.options import json_option, print_json, workspace_option


@click.command()
@click.argument("images", metavar="IMAGES", type=click.Path())
@click.option("--name", help="Names the experiment and the model  [default: the folder's name]")
@click.option("--budget", metavar="TIME", help="Time for all of it, as 90s, 3m, 1h  [default: 10m]")
@click.option("--trials", type=click.IntRange(min=1), metavar="N", help="The most trials.")
@click.option("--test", metavar="DIR", type=click.Path(), help="Held-out images of your own.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 2), default=0, show_default=True)
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="DIMENSION=VALUE",
    help="Pin a dimension, such as backbone=resnet or lr=0.05x7,0.005x7,0.0005; repeatable.",
)
@click.option("--strategy", default="staged", show_default=True, help="How trials are chosen.")
@click.option(
    "--observe",
    multiple=True,
    metavar="NAME",
    help="What watches the search, such as tensorboard or mlflow; repeatable.",
)
@workspace_option
@json_option
def command(
    images: str,
    name: str | None,
    budget: str | None,
    trials: int | None,
    test: str | None,
    seed: int,
    pairs: tuple[str, ...],
    strategy: str,
    observe: tuple[str, ...],
    workspace: str | None,
    as_json: bool,
) -> None:
    """Find a good classifier for the folder of class folders IMAGES.

    A stratified fifth of the images (or --test) is held out and looked at once, at the end.
    Ctrl-C ends the search and keeps the best model so far.
    """
    result = run(images, name, budget, trials, test, seed, pairs, strategy, workspace, observe)
    if as_json:
        print_json(as_object(result))
    else:
        from automl.cli.summary import print_summary

        print_summary(result, workspace)


def run(
    images: str,
    name: str | None,
    budget: str | None,
    trials: int | None,
    test: str | None,
    seed: int,
    pairs: tuple[str, ...],
    strategy: str,
    workspace: str | None,
    observe: tuple[str, ...] = (),
) -> Any:
    """Runs a search in a process of its own; returns the run."""
    from automl.tuning.settings import SearchSettings, parse_duration, parse_pins, training_backend
    from automl.workspace import Workspace, check_name

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # Pillow warns of damaged metadata in pictures that are fine.
    warnings.filterwarnings("ignore", module="PIL")
    seconds = parse_duration(budget) if budget is not None else None
    settings = SearchSettings(
        name=check_name(default_name(images) if name is None else name, "experiment"),
        budget=seconds if seconds or trials else parse_duration("10m"),
        trials=trials,
        seed=seed,
        pins=parse_pins(pairs),
        strategy=strategy,
        backend=training_backend(),
        observers=list(dict.fromkeys(observe)),
        command=["automl", *sys.argv[1:]],
        began=process_start(),
    )
    # This process only keeps Keras Tuner's oracle. The openvino backend comes with the core
    # dependencies and starts three times as fast as TensorFlow; the worker has the real one.
    os.environ["KERAS_BACKEND"] = "openvino"
    from automl.cli.progress import TerminalProgress
    from automl.tuning.api import run_search

    progress = TerminalProgress(settings.budget, settings.began)
    return run_search(settings, images, test, Workspace.find(workspace), progress)


def as_object(run: Any) -> dict[str, Any]:
    """Returns a finished run as `--json` prints it."""
    model, metrics = run.record["model"], run.details["metrics"]
    return {
        "run": run.id,
        "name": run.name,
        "state": run.state,
        "model": model["name"],
        "version": model["version"],
        "saved_model": model["path"],
        "report": str(run.report),
        **metrics,
        "trials": len(run.leaderboard),
        "best": dict(run.leaderboard[0]["hyperparameters"]),
        "unreadable": list(run.record["unreadable"]),
        "seconds": run.record["seconds"],
    }


def default_name(images: str) -> str:
    """Returns a name made of the folder's."""
    import re

    base = os.path.basename(os.path.abspath(images))  # noqa: PTH100, PTH119
    return re.sub(r"[^A-Za-z0-9._-]+", "-", base).strip("-._")[:63] or "images"


def process_start() -> float:
    """Returns when this process began, so that the budget covers its start-up too."""
    import psutil

    return psutil.Process().create_time()
