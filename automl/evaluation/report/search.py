"""How the search went, and how its networks learned."""

from __future__ import annotations

from collections.abc import Sequence

from automl.evaluation.report.figures import figure
from automl.evaluation.report.headline import in_words
from automl.evaluation.report.html import Html, tag
from automl.evaluation.report.tables import header
from automl.evaluation.sensitivity import Sensitivity, sensitivities
from automl.evaluation.text import NO_BREAK_SPACE, number, percent, shorten, trial_number
from automl.records import TrialRecord

MOST_CURVES = 30
"""The most trials whose learning curves are drawn."""


MOST_GROUPS = 8
"""The most values of a dimension that are listed."""


def search_section(leaderboard: Sequence[TrialRecord]) -> Html:
    """Returns the best score over time, and each trial's score by its cost."""
    from automl.evaluation import pictures

    scores = [row["score"] for row in leaderboard if row["score"] is not None]
    best = f"The best of {len(scores)} scores is {percent(max(scores))}." if scores else ""
    return tag(
        "section",
        tag("h2", "Search over time"),
        tag(
            "div",
            figure(
                pictures.best_so_far(leaderboard),
                "progress",
                f"The best validation score over time. {best}",
                "The best score so far, and each trial where it ended.",
            ),
            figure(
                pictures.score_by_cost(leaderboard),
                "front",
                "Each trial's validation score by what its model costs, and the best at each cost.",
                "What each trial reached, by what its model costs where it is used.",
            ),
            figure(
                pictures.score_by_seconds(leaderboard),
                "cost",
                "Each trial's validation score by the seconds that it took.",
                "What each trial reached, by the time that it took.",
            ),
            class_="pictures wide",
        ),
        _sensitivity(leaderboard),
        id="search",
    )


def _sensitivity(leaderboard: Sequence[TrialRecord]) -> Html | None:
    """Returns which dimensions mattered, as a table; `None` where too little was tried."""
    found = sensitivities(leaderboard)
    if not found:
        return None
    return tag(
        "details",
        tag("summary", "What mattered"),
        tag(
            "p",
            "How much of the scores' variance lies between a dimension's values, among the trials "
            "that were made, and the best score with each value (in brackets, its trials).",
            class_="quiet",
        ),
        tag(
            "div",
            tag(
                "table",
                header(("dimension", "explains", "best score with each value"), {"explains"}),
                tag("tbody", [_effect(each) for each in found]),
            ),
            class_="scroll",
        ),
        open="",
    )


def _effect(found: Sensitivity) -> Html:
    shown = found.groups[:MOST_GROUPS]
    left_out = len(found.groups) - len(shown)
    return tag(
        "tr",
        tag("td", found.dimension),
        tag("td", percent(found.explained, 0), class_="n"),
        tag(
            "td",
            [
                [
                    tag("span", tag("i", shorten(_value(group.value), 28)), NO_BREAK_SPACE),
                    percent(group.best),
                    tag("span", f" ({group.trials})", class_="spread"),
                    "" if group is shown[-1] else " · ",
                ]
                for group in shown
            ],
            f" · … and {left_out} more" if left_out > 0 else None,
            class_="settings",
        ),
    )


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return " to ".join(map(number, value))
    return number(value)


def learning_section(leaderboard: Sequence[TrialRecord]) -> Html:
    """Returns loss and accuracy by epoch of every trial that was trained by epochs."""
    from automl.evaluation import pictures

    trained = [row for row in leaderboard if row.get("history")]
    left_out = len(trained) - MOST_CURVES
    return tag(
        "section",
        tag("h2", "Learning curves"),
        tag(
            "p",
            "No trial was trained by epochs: heads were fitted on frozen features.",
            class_="quiet",
        )
        if not trained
        else None,
        tag(
            "div",
            [
                figure(
                    pictures.learning_curves(row),
                    f"curve{place}",
                    f"Loss and accuracy by epoch of trial {trial_number(row)}.",
                    _caption(row),
                )
                for place, row in enumerate(trained[:MOST_CURVES])
            ],
            class_="pictures wide",
        )
        if trained
        else None,
        tag("p", f"… and {left_out:,} more trials.", class_="quiet") if left_out > 0 else None,
        id="curves",
    )


def _caption(row: TrialRecord) -> Html:
    """Returns which trial a picture is about, in words."""
    words = in_words(row["hyperparameters"])
    side = row["hyperparameters"].get("resolution")
    place = f" at {side} px" if side else ""
    return tag(
        "span",
        tag("b", f"{words}{place}"),
        f" · {percent(row['score'])} · trial ",
        trial_number(row),
    )
