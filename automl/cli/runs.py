"""`automl runs`: what was searched, and what came of it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from automl.cli.options import json_option, print_json, print_table, workspace_option

if TYPE_CHECKING:
    from automl.tuning.run import Run


TELLING = 0.1
"""The share of the scores' variance that a dimension must explain to be named."""


@click.group()
def command() -> None:
    """List and show searches."""


@command.command("list")
@workspace_option
@json_option
def list_command(workspace: str | None, as_json: bool) -> None:
    """List the workspace's runs, the oldest first."""
    from automl.cli.wording import percent, seconds_text
    from automl.tuning.run import list_runs
    from automl.workspace import Workspace

    place = Workspace.find(workspace)
    runs = list_runs(place)
    if as_json:
        print_json({"runs": [_as_object(run) for run in runs]})
    elif not runs:
        click.echo(f"No runs in {place.root}; `automl search IMAGES` makes one.")
    else:
        rows = [
            (
                run.id,
                run.name,
                run.state,
                str(len(run.leaderboard)),
                percent(run.details["metrics"].get("balanced_accuracy")),
                percent(run.details["metrics"].get("accuracy")),
                seconds_text(run.record["seconds"]),
            )
            for run in runs
        ]
        headings = ("RUN", "NAME", "STATE", "TRIALS", "BALANCED", "ACCURACY", "TIME")
        print_table(headings, rows)


@command.command("show")
@click.argument("run", metavar="RUN")
@workspace_option
@json_option
def show_command(run: str, workspace: str | None, as_json: bool) -> None:
    """Show what RUN tried, what it cost and why the winner won.

    RUN is a run's id, or an experiment's name for its newest run.
    """
    from dataclasses import asdict

    from automl.evaluation.sensitivity import sensitivities
    from automl.tuning.run import find_run
    from automl.workspace import Workspace

    found = find_run(Workspace.find(workspace), run)
    if as_json:
        leaderboard = [dict(row) for row in found.leaderboard]
        mattered = [asdict(each) for each in sensitivities(found.leaderboard)]
        print_json(
            {
                **_as_object(found),
                **_details(found),
                "leaderboard": leaderboard,
                "sensitivity": mattered,
            }
        )
        return
    _print(found, workspace)


def _as_object(run: Run) -> dict[str, Any]:
    record, model = run.record, run.record["model"]
    return {
        "run": run.id,
        "name": run.name,
        "state": run.state,
        "started": record["started"],
        "seconds": record["seconds"],
        "trials": len(run.leaderboard),
        "model": model["name"] if model else None,
        "version": model["version"] if model else None,
        **{key: run.details["metrics"].get(key) for key in ("accuracy", "balanced_accuracy")},
    }


def _details(run: Run) -> dict[str, Any]:
    keys = ("seed", "command", "budget_seconds", "labels", "counts", "unreadable", "versions")
    kept = {key: run.record[key] for key in keys}  # type: ignore[literal-required]
    return {
        **kept,
        "winner": run.record["winner"],
        "notes": run.record["notes"],
        "settings": run.details.get("settings"),
        "error": run.details.get("error"),
        "report": str(run.report) if run.report.is_file() else None,
    }


def _print(run: Run, workspace: str | None) -> None:
    from rich.console import Console
    from rich.text import Text

    from automl.cli.summary import named, print_leaderboard, print_summary
    from automl.cli.wording import seconds_text

    record, console = run.record, Console(highlight=False)
    console.print(
        Text(f"Run {run.id} of {run.name}: {run.state} after {seconds_text(record['seconds'])}")
    )
    console.print(Text(_asked(run)), soft_wrap=True)
    for note in record["notes"]:
        console.print(Text(note, "yellow"))
    if run.details.get("error"):
        console.print(Text(run.details["error"], "red"))
    if record["unreadable"]:
        console.print(f"{len(record['unreadable'])} unreadable images were set aside")
    console.print()
    if run.state != "completed":
        if run.leaderboard:
            print_leaderboard(run, console)
        if run.state in ("failed", "cancelled"):
            command = f"automl search --resume {run.id}{named(workspace)}"
            console.print(Text(f"go on   {command}"), soft_wrap=True)
        return
    console.print(Text(_why(run)))
    mattered = _what_mattered(run)
    if mattered:
        console.print(Text(mattered))
    console.print()
    print_summary(run, workspace)


def _asked(run: Run) -> str:
    """Returns what to type, or to call from Python, for the same search again."""
    from automl.tuning.run_data import TEST_IMAGES

    record, settings = run.record, run.details["settings"]
    backend = settings["backend"]
    if record["command"]:
        variable = "" if backend == "tensorflow" else f"KERAS_BACKEND={backend} "
        return variable + shlex.join(record["command"])
    options = {
        "name": record["name"],
        "budget": record["budget_seconds"],
        "trials": settings["trials"],
        "seed": record["seed"],
        "fixed": settings["pins"],
        "strategy": settings["strategy"],
        "compute": settings["compute"],
        "observe": settings["observers"],
        **{name: settings[name] for name in ("max_latency_ms", "max_size_mb", "workers")},
    }
    images = ["IMAGES", *(["test=TEST_IMAGES"] if (run.folder / TEST_IMAGES).is_file() else [])]
    given = (f"{name}={value!r}" for name, value in options.items() if value not in (None, {}, []))
    variable = "" if backend == "tensorflow" else f"os.environ['KERAS_BACKEND'] = {backend!r}; "
    return f"{variable}automl.search({', '.join([*images, *given])})"


def _what_mattered(run: Run) -> str:
    """Returns the dimensions that the scores followed most, in a sentence; empty for none."""
    from automl.evaluation.sensitivity import sensitivities

    told = [each for each in sensitivities(run.leaderboard) if each.explained >= TELLING][:3]
    if not told:
        return ""
    listed = ", ".join(f"{each.dimension} ({100 * each.explained:.0f} %)" for each in told)
    return f"What the scores followed most, by the variance that it explains: {listed}."


def _why(run: Run) -> str:
    """Returns why the winner won, in a sentence."""
    first, *others = run.leaderboard
    scored = [row for row in others if row["score"] is not None]
    if not scored:
        return "The winner is the only trial that ended well."
    tied = sum(1 for row in scored if abs((row["score"] or 0) - (first["score"] or 0)) < 1e-6)
    if tied:
        more = f"{tied} other trial{'s' * (tied > 1)}"
        return (
            f"The winner has the highest class-averaged validation accuracy, as {more} had too, "
            f"and is the cheapest of them."
        )
    lead = 100 * ((first["score"] or 0) - (scored[0]["score"] or 0))
    return (
        f"The winner has the highest class-averaged validation accuracy, {lead:.1f} points above "
        f"the next."
    )
