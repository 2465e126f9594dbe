"""Every trial of the search, the best first."""

from __future__ import annotations

from collections.abc import Sequence

from automl.evaluation.pareto import pareto_front, usual_cost
from automl.evaluation.report.html import Child, Html, tag
from automl.evaluation.report.tables import scrolling
from automl.evaluation.text import (
    NO_BREAK_SPACE,
    duration,
    network,
    number,
    percent,
    shorten,
    trial_number,
)
from automl.records import RunRecord, TrialRecord

MOST_TRIALS = 1000
"""The most trials to list."""

_OWN_COLUMN = frozenset({"backbone", "depth", "fusion", "resolution", "head"})
_BEFORE = ("rank", "trial", "network", "px", "head", "other settings", "score")
_MEASURED = {"latency": "latency_ms", "size": "size_mb"}
_UNITS = {"latency": "ms", "size": "MB"}
_AFTER = ("time", "status")
_NUMERIC = frozenset({"rank", "trial", "px", "score", "time", *_MEASURED})


def leaderboard_section(run: RunRecord, leaderboard: Sequence[TrialRecord]) -> Html:
    """Returns the trials as a table that sorts by any column, and the search's notes."""
    scored = [row for row in leaderboard if row["score"] is not None]
    unscored = [row for row in leaderboard if row["score"] is None]
    rows = [*enumerate(scored, 1), *((None, row) for row in unscored)]
    left_out = len(rows) - MOST_TRIALS
    cost = usual_cost(leaderboard)
    front = {row["trial"] for row in pareto_front(leaderboard, cost)}
    measured = [
        name
        for name, key in _MEASURED.items()
        if any(row.get(key) is not None for row in leaderboard)
    ]
    return tag(
        "section",
        tag("h2", "Leaderboard"),
        tag(
            "p",
            "The score is the class-averaged accuracy on images kept from training, ± its standard "
            "deviation over folds; the test images had no part in the choice. At ◆, no other has "
            f"as high a score at as low a {cost.name}.",
            class_="quiet",
        ),
        scrolling(
            tag(
                "table",
                tag(
                    "thead",
                    tag("tr", [_header(column) for column in (*_BEFORE, *measured, *_AFTER)]),
                ),
                tag(
                    "tbody",
                    [
                        _row(rank, row, run["winner"], row["trial"] in front, measured)
                        for rank, row in rows[:MOST_TRIALS]
                    ],
                ),
                class_="sortable",
            ),
            "Leaderboard",
        ),
        tag("p", f"… and {left_out:,} more trials.", class_="quiet") if left_out > 0 else None,
        tag("ul", [tag("li", note) for note in run["notes"]], class_="notes")
        if run["notes"]
        else None,
        id="leaderboard",
    )


def _header(column: str) -> Html:
    return tag(
        "th",
        tag("button", column, type="button"),
        scope="col",
        class_="n" if column in _NUMERIC else None,
        aria_sort="ascending" if column == "rank" else None,
    )


def _row(
    rank: int | None, row: TrialRecord, winner: str | None, front: bool, measured: Sequence[str]
) -> Html:
    settings = row["hyperparameters"]
    won = row["trial"] == winner
    return tag(
        "tr",
        _cell(rank if rank else "–", rank, numeric=True),
        _cell(trial_number(row), numeric=True),
        _cell(network(settings), class_="network"),
        _cell(number(settings.get("resolution")), numeric=True),
        _cell(number(settings.get("head")), class_="whole"),
        _cell(_other_settings(row), class_="settings"),
        _cell([_score(row), " ◆" if front else None], row["score"], True, "score"),
        *(_measurement(row, name) for name in measured),
        _cell(duration(row["seconds"]), row["seconds"], numeric=True),
        _cell(tag("b", "chosen") if won else row["status"], row["status"]),
        class_="won" if won else row["status"],
    )


def _measurement(row: TrialRecord, name: str) -> Html:
    value = row.get(_MEASURED[name])
    shown = "–" if value is None else f"{value:.3g}{NO_BREAK_SPACE}{_UNITS[name]}"
    return _cell(shown, value, numeric=True)


def _cell(
    content: Child, value: object = None, numeric: bool = False, class_: str | None = None
) -> Html:
    """Returns a cell that sorts by `value`, where that differs from what it shows."""
    classes = " ".join(filter(None, ("n" if numeric else None, class_)))
    written = None if value is None or isinstance(value, bool) else str(value)
    return tag("td", content, class_=classes or None, data_value=written)


def _score(row: TrialRecord) -> list[Child]:
    spread = row["spread"]
    return [
        tag("b", percent(row["score"])),
        None if spread is None else tag("span", f" ± {100 * spread:.1f}", class_="spread"),
    ]


def _other_settings(row: TrialRecord) -> list[Child]:
    settings = {"stage": row["stage"], **row["hyperparameters"]}
    error = row.get("error")
    return [
        # A line may break between the settings, but not inside one.
        [
            [tag("span", tag("i", shorten(key, 24)), NO_BREAK_SPACE, _shown(value)), " "]
            for key, value in settings.items()
            if key not in _OWN_COLUMN and value is not None
        ],
        tag("small", error[:500]) if error else None,
    ]


def _shown(value: object) -> str:
    return shorten(number(value), 28)
