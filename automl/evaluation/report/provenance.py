"""What it takes to make the same model again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from automl.evaluation.report.html import Child, Html, tag
from automl.evaluation.text import duration, number
from automl.records import RunRecord, TrialRecord


def provenance_section(run: RunRecord, leaderboard: Sequence[TrialRecord]) -> Html:
    """Returns the command, the seed, the data's fingerprint, the settings and the versions."""
    winner = next((row for row in leaderboard if row["trial"] == run["winner"]), None)
    model = run["model"]
    facts: list[tuple[str, Child]] = [
        ("Run", tag("code", run["run"])),
        ("Started", tag("time", run["started"], datetime=run["started"])),
        ("Took", duration(run["seconds"])),
        ("Seed", str(run["seed"])),
        ("Data fingerprint", tag("code", run["fingerprint"])),
        ("Model", tag("code", f"{model['name']} {model['version']}") if model else None),
        ("SavedModel", tag("code", model["path"]) if model else None),
    ]
    return tag(
        "section",
        tag("h2", "How it was made"),
        _command(run["command"]),
        tag(
            "div",
            _table("Run", facts),
            _table("Settings of the model", _pairs(winner["hyperparameters"])) if winner else None,
            _table("Agreement of the export with the trained model", _pairs(run["parity"])),
            _table("Versions", _pairs(run["versions"])),
            class_="columns",
        ),
        id="provenance",
    )


def _command(command: Sequence[str]) -> Html | None:
    if not command:
        return None
    return tag(
        "div",
        tag("pre", tag("code", shlex.join(command)), tabindex=0),
        tag("button", "Copy", type="button", class_="copy", hidden=True),
        class_="next",
    )


def _pairs(values: Mapping[str, Any]) -> list[tuple[str, Child]]:
    return [(key.replace("_", " "), number(value)) for key, value in values.items()]


def _table(title: str, pairs: Sequence[tuple[str, Child]]) -> Html | None:
    rows = [
        tag("tr", tag("th", key, scope="row"), tag("td", value))
        for key, value in pairs
        if value is not None
    ]
    return tag("table", tag("caption", title), tag("tbody", rows), class_="pairs") if rows else None
