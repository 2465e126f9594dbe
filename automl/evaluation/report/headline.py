"""What was reached, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from automl.evaluation.intervals import Interval
from automl.evaluation.metrics import Evaluation
from automl.evaluation.report.html import Html, name, tag
from automl.evaluation.text import duration, network, number, percent
from automl.records import RunRecord, TrialRecord

FEW_IMAGES = 100
"""With fewer test images the page says in words how little they say."""


def headline(run: RunRecord, leaderboard: Sequence[TrialRecord], evaluation: Evaluation) -> Html:
    """Returns the head of the page: figures with their intervals, facts, next commands."""
    images = _count(evaluation.test_images, "held-out image")
    return tag(
        "header",
        tag("p", f"Image classifier · {images} · {len(evaluation.labels)} classes", class_="over"),
        tag("h1", name(run["name"], 60)),
        tag(
            "div",
            _figure(
                "class-averaged accuracy",
                evaluation.balanced_accuracy,
                evaluation.balanced_accuracy_interval(),
                "main",
            ),
            _figure("accuracy", evaluation.accuracy, evaluation.accuracy_interval(), "second"),
            class_="figures",
        ),
        _caution(evaluation),
        _facts(run, leaderboard),
        _next_commands(run),
        class_="head",
    )


def in_words(hyperparameters: Mapping[str, Any]) -> str:
    """Returns a model's networks and head as a phrase."""
    named, head = network(hyperparameters), hyperparameters.get("head")
    return f"{named} with a {number(head)} head" if head else named


def _figure(what: str, share: float, interval: Interval, role: str) -> Html:
    low, high = interval
    return tag(
        "div",
        tag("p", percent(share), class_="share"),
        tag("p", what, class_="what"),
        tag(
            "div",
            tag(
                "span", class_="band", style=f"left:{100 * low:.2f}%;right:{100 - 100 * high:.2f}%"
            ),
            tag("span", class_="dot", style=f"left:{100 * share:.2f}%"),
            class_="scale",
            aria_hidden="true",
        ),
        tag("p", f"95 % interval: {percent(low)} to {percent(high)}", class_="interval"),
        class_=f"figure {role}",
    )


def _caution(evaluation: Evaluation) -> Html | None:
    sentences = []
    if evaluation.test_images < FEW_IMAGES:
        sentences.append(
            f"{_count(evaluation.test_images, 'image')} can say only so much: another draw of as "
            "few could give any figure inside the interval."
        )
    if evaluation.absent:
        absent = ", ".join(evaluation.absent[:5]) + ("…" if len(evaluation.absent) > 5 else "")
        sentences.append(f"Classes without a test image do not count in the average: {absent}.")
    return tag("p", " ".join(sentences), class_="caution") if sentences else None


def _facts(run: RunRecord, leaderboard: Sequence[TrialRecord]) -> Html:
    winner = next((row for row in leaderboard if row["trial"] == run["winner"]), None)
    facts: list[tuple[str, str | None]] = []
    if winner:
        hyperparameters = winner["hyperparameters"]
        side = hyperparameters.get("resolution")
        facts += [
            ("Model", in_words(hyperparameters)),
            ("Resolution", f"{number(side)} × {number(side)} px" if side else None),
            (
                "Found by",
                {"frozen": "frozen features", "fine-tune": "fine-tuning"}[winner["stage"]],
            ),
        ]
    budget = run["budget_seconds"]
    took = duration(run["seconds"]) + (f" of {duration(budget)}" if budget else "")
    facts += [("Trials", str(len(leaderboard))), ("Search took", took)]
    return tag(
        "dl",
        [tag("div", tag("dt", key), tag("dd", value)) for key, value in facts if value],
        class_="facts",
    )


def _next_commands(run: RunRecord) -> Html | None:
    if not run["model"]:
        return None
    model = shlex.quote(run["model"]["name"])
    commands = f"automl deploy {model}\nautoml score {model} photo.jpg"
    return tag(
        "div",
        tag("h2", "Next"),
        tag("pre", tag("code", commands), tabindex=0),
        tag("button", "Copy", type="button", class_="copy", hidden=True),
        class_="next",
    )


def _count(number_of: int, what: str) -> str:
    return f"{number_of:,} {what}{'' if number_of == 1 else 's'}"
