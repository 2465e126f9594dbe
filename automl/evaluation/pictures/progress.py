"""Pictures of a search: its trials, its progress, and how networks learned."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from automl.evaluation.pareto import Cost, pareto_front, usual_cost
from automl.evaluation.pictures import style
from automl.evaluation.pictures.style import Picture, canvas, picture
from automl.evaluation.text import shorten
from automl.records import TrialRecord

_MARKERS = {"frozen": "o", "fine-tune": "D"}
_MOST_FAMILIES = 5


@picture
def score_by_seconds(leaderboard: Sequence[TrialRecord]) -> Picture:
    """Draws each trial's score by the time that it took, coloured by backbone."""
    figure, (axes,) = canvas(5.2, 3.7)
    _logarithmic(axes)
    axes.set(xlabel="seconds a trial took", ylabel="validation score")
    scored = [row for row in leaderboard if row["score"] is not None]
    if not scored:
        style.empty(axes, "No trial was scored.")
        return figure
    families = collections.Counter(_family(row) for row in scored)
    common = [family for family, _ in families.most_common(_MOST_FAMILIES)]
    colours = dict(zip(common, style.SERIES, strict=False))
    for stage, marker in _MARKERS.items():
        for family in [*common, None]:
            rows = [
                row
                for row in scored
                if row["stage"] == stage and colours.get(_family(row)) == colours.get(family or "")
            ]
            if rows:
                _scatter(axes, rows, colours.get(family or "", style.GREY), marker)
    _legend(axes, colours, others=len(families) > len(common), rows=scored)
    return figure


@picture
def score_by_cost(leaderboard: Sequence[TrialRecord]) -> Picture:
    """Draws each trial's score by what its model costs, and the front that nothing beats."""
    figure, (axes,) = canvas(5.2, 3.7)
    cost = usual_cost(leaderboard)
    _logarithmic(axes)
    axes.set(xlabel=f"{cost.name}, {cost.unit}", ylabel="validation score")
    front = pareto_front(leaderboard, cost)
    if not front:
        style.empty(axes, "No trial was scored.")
        return figure
    rows = [row for row in leaderboard if row["score"] is not None and cost.of(row) is not None]
    axes.scatter(*_points(rows, cost), s=26, color=style.GREY, linewidth=0, label="trials")
    axes.plot(
        *_points(front, cost),
        drawstyle="steps-post",
        color=style.BLUE,
        linewidth=2.2,
        marker="D",
        markersize=5,
        label="nothing is better and cheaper",
    )
    axes.legend(loc="best")
    return figure


def _logarithmic(axes: Axes) -> None:
    axes.set(xscale="log")
    # With 2 and 5 between the powers of ten, as the trials may lie between two of those.
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _points(rows: Sequence[TrialRecord], cost: Cost) -> tuple[list[float], list[float]]:
    # A logarithm must not meet a zero.
    return [max(_number(cost.of(row)), 1e-6) for row in rows], [
        _number(row["score"]) for row in rows
    ]


@picture
def best_so_far(leaderboard: Sequence[TrialRecord]) -> Picture:
    """Draws each trial's score at the time it ended, and the best up to each moment."""
    figure, (axes,) = canvas(5.2, 3.7)
    axes.set(xlabel="seconds since the start", ylabel="validation score")
    rows = sorted(
        (row for row in leaderboard if row["score"] is not None),
        key=lambda row: row["finished_at"],
    )
    if not rows:
        style.empty(axes, "No trial was scored.")
        return figure
    times = np.array([row["finished_at"] for row in rows])
    scores = np.array([row["score"] for row in rows], dtype=float)
    best = np.maximum.accumulate(scores)
    axes.plot(times, best, drawstyle="steps-post", color=style.BLUE, linewidth=2.2, label="best")
    for stage, marker in _MARKERS.items():
        here = np.array([row["stage"] == stage for row in rows])
        if here.any():
            axes.scatter(
                times[here],
                scores[here],
                s=26,
                marker=marker,
                color=style.GREY if stage == "frozen" else style.VERMILLION,
                linewidth=0,
                label=_STAGE_NAMES[stage],
                zorder=3,
            )
    axes.legend(loc="best")
    return figure


@picture
def learning_curves(trial: TrialRecord) -> Picture:
    """Draws a trial's loss and accuracy by epoch, for training and validation."""
    figure, panels = canvas(5.2, 2.5, columns=2)
    history = trial.get("history") or {}
    for axes, name in zip(panels, ("loss", "accuracy"), strict=True):
        axes.set(title=name, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
        lines = (("training", name, style.GREY), ("validation", f"val_{name}", style.BLUE))
        for label, key, colour in lines:
            values = [_number(value) for value in history.get(key) or ()]  # type: ignore[attr-defined]
            if any(map(math.isfinite, values)):
                dot = "o" if len(values) == 1 else None
                axes.plot(range(1, len(values) + 1), values, color=colour, label=label, marker=dot)
        if not axes.lines:
            style.empty(axes, "not recorded")
    drawn = next((axes for axes in panels if axes.lines), None)
    if drawn is not None:
        drawn.legend(loc="best")
    return figure


_STAGE_NAMES = {"frozen": "head on frozen features", "fine-tune": "fine-tuned"}


def _scatter(axes: Axes, rows: Sequence[TrialRecord], colour: str, marker: str) -> None:
    # A head is fitted in milliseconds; a logarithm must not meet a zero.
    seconds = [max(row["seconds"], 1e-3) for row in rows]
    scores = [_number(row["score"]) for row in rows]
    axes.scatter(seconds, scores, s=34, marker=marker, color=colour, alpha=0.85, linewidth=0)


def _legend(axes: Axes, colours: dict[str, str], others: bool, rows: Sequence[TrialRecord]) -> None:
    for family, colour in colours.items():
        axes.scatter([], [], s=34, color=colour, linewidth=0, label=shorten(family, 22))
    if others:
        axes.scatter([], [], s=34, color=style.GREY, linewidth=0, label="others")
    stages = {row["stage"] for row in rows}
    for stage, marker in _MARKERS.items():
        if stage in stages and len(stages) > 1:
            axes.scatter(
                [], [], s=34, marker=marker, facecolor="none", edgecolor=style.MUTED,
                label=_STAGE_NAMES[stage],
            )  # fmt: skip
    axes.legend(loc="best")


def _family(row: TrialRecord) -> str:
    return str(row["hyperparameters"].get("backbone", "other"))


def _number(value: float | None) -> float:
    return float(value) if value is not None and math.isfinite(value) else math.nan
