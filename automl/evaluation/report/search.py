"""How the search went, and how its networks learned."""

from __future__ import annotations

from collections.abc import Sequence

from automl.evaluation.report.figures import figure
from automl.evaluation.report.headline import in_words
from automl.evaluation.report.html import Html, name, tag
from automl.evaluation.text import percent
from automl.records import TrialRecord

MOST_CURVES = 30
"""The most trials whose learning curves are drawn."""


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
                pictures.score_by_seconds(leaderboard),
                "cost",
                "Each trial's validation score by the seconds that it took.",
                "What each trial reached, by the time that it took.",
            ),
            class_="pictures wide",
        ),
        id="search",
    )


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
                    f"Loss and accuracy by epoch of trial {row['trial']}.",
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
        name(row["trial"]),
    )
