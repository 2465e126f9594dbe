"""`automl search`: from a folder of images to a measured, exported classifier."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import click
from click.core import ParameterSource

from automl.cli.options import (
    Duration,
    Number,
    WholeNumber,
    json_option,
    print_json,
    workspace_option,
)
from automl.errors import UsageError


@click.command()
@click.argument("images", metavar="IMAGES", type=click.Path(), required=False)
@click.option("--name", help="Names the experiment and the model  [default: the folder's name]")
@click.option(
    "--budget",
    type=Duration(),
    metavar="TIME",
    help="Time for all of it, as 90s, 3m, 1h  [default: 10m]",
)
@click.option("--trials", type=WholeNumber(min=1), metavar="N", help="The most trials.")
@click.option("--test", metavar="IMAGES", type=click.Path(), help="Held-out images of your own.")
@click.option("--seed", type=WholeNumber(0, 2**32 - 2), default=0, show_default=True)
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="DIMENSION=VALUE",
    help="Pin a dimension, such as backbone=resnet or lr=0.05x7,0.005x7,0.0005; repeatable.",
)
@click.option("--strategy", default="staged", show_default=True, help="How trials are chosen.")
@click.option(
    "--compute",
    default="local",
    show_default=True,
    metavar="NAME",
    help="Where trials run: local, or ray for a Ray cluster.",
)
@click.option(
    "--max-latency-ms",
    type=Number(min=0, min_open=True),
    metavar="MS",
    help="Only models that answer for one picture in MS on this machine.",
)
@click.option(
    "--max-size-mb",
    type=Number(min=0, min_open=True),
    metavar="MB",
    help="Only models of at most MB million bytes.",
)
@click.option(
    "--workers",
    type=WholeNumber(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Trials that run at a time, such as one a GPU.",
)
@click.option(
    "--observe",
    multiple=True,
    metavar="NAME",
    help="What watches the search, such as tensorboard or mlflow; repeatable.",
)
@click.option(
    "--resume",
    "unfinished",
    metavar="RUN",
    help="Go on with a search that was killed, cancelled or failed, as it was asked for.",
)
@workspace_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    images: str | None,
    unfinished: str | None,
    workspace: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find a good classifier for IMAGES.

    That is a folder of class folders, one that is split already (train/ val/ test/), a table (CSV,
    JSONL, Parquet), IDX files, a zip or tar of any of these, a query file (JSON), or a dataset's
    NAME or NAME@VERSION.

    A stratified fifth of the images (or --test, or the split test) is held out and looked at once,
    at the end.
    Ctrl-C ends the search and keeps the best model so far.
    """
    if unfinished is not None:
        _require_nothing_else(context)
        result = go_on(unfinished, workspace)
    elif images is None:
        raise UsageError("expected IMAGES, or --resume RUN, found neither; name one.")
    else:
        result = run(images, workspace, **options)
    if as_json:
        print_json(as_object(result))
    else:
        from automl.cli.summary import print_summary

        print_summary(result, workspace)


def run(
    images: str,
    workspace: str | None,
    *,
    name: str | None = None,
    budget: float | None = None,
    trials: int | None = None,
    test: str | None = None,
    seed: int = 0,
    pairs: Sequence[str] = (),
    strategy: str = "staged",
    compute: str = "local",
    observe: Sequence[str] = (),
    max_latency_ms: float | None = None,
    max_size_mb: float | None = None,
    workers: int = 1,
) -> Any:
    """Runs a search in a process of its own; returns the run."""
    from automl.tuning.settings import SearchSettings, parse_duration, parse_pins, training_backend
    from automl.workspace import Workspace, check_name

    settings = SearchSettings(
        name=check_name(default_name(images) if name is None else name, "experiment"),
        budget=budget if budget is not None or trials is not None else parse_duration("10m"),
        trials=trials,
        seed=seed,
        pins=parse_pins(pairs),
        strategy=strategy,
        compute=compute,
        backend=training_backend(),
        observers=list(dict.fromkeys(observe)),
        max_latency_ms=max_latency_ms,
        max_size_mb=max_size_mb,
        workers=workers,
        command=["automl", *sys.argv[1:]],
        began=process_start(),
    )
    _prepare_process()
    from automl.cli.progress import TerminalProgress
    from automl.tuning.api import run_search

    with closing(TerminalProgress(settings.budget, settings.began)) as progress:
        return run_search(settings, images, test, Workspace.find(workspace), progress)


def go_on(unfinished: str, workspace: str | None) -> Any:
    """Goes on with a run in a process of its own; returns it."""
    from automl.tuning.run import find_run
    from automl.workspace import Workspace

    place = Workspace.find(workspace)
    found, began = find_run(place, unfinished), process_start()
    _prepare_process()
    from automl.cli.progress import TerminalProgress
    from automl.tuning.api import resume_search

    budget, spent = found.record["budget_seconds"], found.record["seconds"]
    with closing(TerminalProgress(budget, began - spent)) as progress:
        return resume_search(found, place, progress, began)


def _require_nothing_else(context: click.Context) -> None:
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "")
        if parameter.name in ("unfinished", "workspace", "as_json"):
            continue
        if given is ParameterSource.COMMANDLINE:
            raise UsageError(
                f"expected a run to go on as it was asked for, found {parameter.opts[0]} beside "
                f"--resume; leave it out."
            )


def _prepare_process() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # Pillow warns of damaged metadata in pictures that are fine.
    warnings.filterwarnings("ignore", module="PIL")
    # This process only keeps Keras Tuner's oracle. The openvino backend comes with the core
    # dependencies and starts three times as fast as TensorFlow; the worker has the real one.
    os.environ["KERAS_BACKEND"] = "openvino"


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
    """Returns a name made of the folder's, file's or dataset's."""
    import re

    base = os.path.basename(os.path.abspath(images))  # noqa: PTH100, PTH119
    if not os.path.isdir(images):  # noqa: PTH112
        base = re.sub(r"(?<=.)(@\d+|(\.tar)?\.[A-Za-z0-9]{2,8})\Z", "", base)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", base).strip("-._")[:63] or "images"


def process_start() -> float:
    """Returns when this process began, so that the budget covers its start-up too."""
    import psutil

    return psutil.Process().create_time()
