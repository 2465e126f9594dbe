"""Puts the sections together into one file that needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from automl.evaluation.metrics import Evaluation
from automl.evaluation.report.data import data_section
from automl.evaluation.report.document import document, script
from automl.evaluation.report.headline import headline
from automl.evaluation.report.html import tag
from automl.evaluation.report.leaderboard import leaderboard_section
from automl.evaluation.report.performance import performance_section
from automl.evaluation.report.provenance import provenance_section
from automl.evaluation.report.search import learning_section, search_section
from automl.evaluation.report.viewer import viewer_section
from automl.evaluation.text import percent
from automl.files import replacing
from automl.records import RunRecord, TrialRecord

MAX_BYTES = 5_000_000
"""The largest file that is written; thumbnails get what the rest leaves of it."""

MAX_PICTURE_BYTES = 2_500_000

_CONTENTS = (
    ("data", "Data"),
    ("leaderboard", "Leaderboard"),
    ("search", "Search"),
    ("evaluation", "Evaluation"),
    ("mistakes", "Mistakes"),
    ("curves", "Learning curves"),
    ("provenance", "How it was made"),
)


def write_report(
    path: str | os.PathLike[str],
    run: RunRecord,
    leaderboard: Sequence[TrialRecord],
    evaluation: Evaluation,
) -> Path:
    """Writes the report of a run as one HTML file of less than 5 MB, whole or not at all.

    It fetches nothing, and a content security policy keeps it so.

    Args:
        path: Where to write it.
        run: What run.json holds.
        leaderboard: The trials, the best first.
        evaluation: Of the winner on the test images; with `paths`, the report shows them.

    Returns:
        `path`.
    """
    file = Path(path)
    page = render(run, leaderboard, evaluation).encode()
    with replacing(file) as stream:
        stream.write(page)
    return file


def render(run: RunRecord, leaderboard: Sequence[TrialRecord], evaluation: Evaluation) -> str:
    """Returns the page."""
    before = [
        data_section(run),
        leaderboard_section(run, leaderboard),
        search_section(leaderboard),
        performance_section(evaluation),
    ]
    after = [learning_section(leaderboard), provenance_section(run, leaderboard)]
    taken = sum(len(section.encode()) for section in (*before, *after)) + 100_000
    viewer = viewer_section(evaluation, room=min(MAX_PICTURE_BYTES, MAX_BYTES - taken))
    body = tag(
        "body",
        tag("a", "To the results", href="#main", class_="skip"),
        headline(run, leaderboard, evaluation),
        tag("nav", [tag("a", text, href=f"#{key}") for key, text in _CONTENTS], aria_label="Page"),
        tag("main", *before, viewer, *after, id="main"),
        script(),
    )
    title = f"{run['name']}: {percent(evaluation.balanced_accuracy)} class-averaged accuracy"
    return document(title, run["versions"].get("automl-vision", ""), body)
