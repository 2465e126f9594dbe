"""What a finished search tells its user: leaderboard, held-out figures, what to type next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl.cli.wording import configuration, percent, seconds_text
from automl.evaluation.pareto import pareto_front, usual_cost
from automl.evaluation.text import trial_number
from automl.records import TrialRecord

if TYPE_CHECKING:
    from automl.tuning.run import Run

SHOWN = 10


def print_summary(run: Run, workspace: str | None = None) -> None:
    """Prints the leaderboard, the held-out figures, the paths and the next command.

    Args:
        run: A completed run.
        workspace: The workspace as the user named it; the next command needs it too.
    """
    console = Console(highlight=False)
    print_leaderboard(run, console)
    evaluation = run.evaluation
    interval = evaluation.balanced_accuracy_interval()
    console.print()
    console.print(
        f"On {evaluation.test_images:,} held-out images: class-averaged accuracy "
        f"[bold]{percent(evaluation.balanced_accuracy)}[/bold] (95 % interval "
        f"{percent(interval.low)} to {percent(interval.high)}), "
        f"accuracy [bold]{percent(evaluation.accuracy)}[/bold]."
    )
    model = run.record["model"]
    assert model is not None
    doubts = run.record["doubts"]
    if doubts and doubts["labels"]:
        count = len(doubts["labels"])
        console.print(
            f"{count} training image{' was' if count == 1 else 's were'} perhaps labelled "
            f"wrongly; the report shows {'it' if count == 1 else 'them'}."
        )
    console.print()
    for what, text in (
        ("report", str(run.report)),
        ("model", f"{model['path']}  (version {model['version']})"),
        ("next", f"automl deploy {model['name']}{named(workspace)}"),
    ):
        console.print(Text(f"{what:<8}{text}"), soft_wrap=True)


def print_leaderboard(run: Run, console: Console) -> None:
    """Prints the best trials of a run, marking those that no other beats in score and cost."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rank", justify="right")
    table.add_column("trial", justify="right")
    table.add_column("class-averaged", justify="right", no_wrap=True)
    table.add_column("configuration", overflow="fold")
    rows = run.leaderboard
    cost = usual_cost(rows)
    front = {row["trial"] for row in pareto_front(rows, cost)}
    measured = any(row.get("latency_ms") is not None for row in rows)
    for name in ("latency", "size", "time") if measured else ("time",):
        table.add_column(name, justify="right", no_wrap=True)
    for rank, row in enumerate(rows[:SHOWN], 1):
        table.add_row(
            str(rank) if row["score"] is not None else "—",
            trial_number(row),
            _score(row) + (" ◆" if row["trial"] in front else "  "),
            Text(configuration(row["hyperparameters"]) + _failure(row)),
            *(_measurements(row) if measured else ()),
            seconds_text(row["seconds"]),
            style="bold" if row["trial"] == run.record["winner"] else None,
        )
    console.print(table)
    if len(rows) > SHOWN:
        console.print(f"… and {len(rows) - SHOWN} more, in the report")
    if len(front) > 1:
        console.print(f"◆ no other has both a higher score and a lower {cost.name} ({cost.unit})")


def named(workspace: str | None) -> str:
    """Returns the option that names the workspace as the user did, for a command to type."""
    return "" if workspace is None else f" --workspace {shlex.quote(workspace)}"


def _score(row: TrialRecord) -> str:
    if row["score"] is None:
        return row["status"]
    spread = row["spread"]
    return percent(row["score"]) + (f" ± {100 * spread:.1f}" if spread is not None else "")


def _measurements(row: TrialRecord) -> tuple[str, str]:
    latency, size = row.get("latency_ms"), row.get("size_mb")
    return (
        "—" if latency is None else f"{latency:.3g} ms",
        "—" if size is None else f"{size:.3g} MB",
    )


def _failure(row: TrialRecord) -> str:
    error = row.get("error")
    return f" ({error})" if error else ""
