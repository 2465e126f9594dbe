"""The test images themselves: the most confident mistakes, and the narrowest hits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from automl.evaluation.metrics import Evaluation
from automl.evaluation.report.cards import frame
from automl.evaluation.report.html import Html, join, name, tag
from automl.evaluation.report.thumbnails import common_folder, thumbnail
from automl.evaluation.scores import Prediction
from automl.evaluation.text import percent

MOST_MISTAKES = 120
MOST_HITS = 24


def viewer_section(evaluation: Evaluation, room: int) -> Html:
    """Returns cards of mistakes and hits that take at most `room` bytes of HTML."""
    mistakes, hits = evaluation.mistakes, evaluation.correct
    shown = [*mistakes[:MOST_MISTAKES], *hits[:MOST_HITS]]
    # Where there is little room, it is shared by leaving out whole cards from the ends.
    cards = list(_fitting(_cards(shown, evaluation.labels), room))
    wrong = min(len(cards), len(mistakes[:MOST_MISTAKES]))
    heading = tag("h2", "Mistakes" if mistakes else "No mistakes")
    summary = (
        f"{wrong:,} of {len(mistakes):,} mistakes, the most confident first, then "
        f"{len(cards) - wrong:,} of {len(hits):,} right answers, the least certain first."
    )
    return tag(
        "section",
        heading,
        tag("p", summary, class_="quiet"),
        _filters(shown[: len(cards)], evaluation.labels),
        tag("ul", cards, class_="cards"),
        id="mistakes",
    )


def _filters(shown: Sequence[Prediction], labels: Sequence[str]) -> Html:
    kinds = [("", "everything shown"), ("wrong", "mistakes"), ("right", "right answers")]
    places = {label: place for place, label in enumerate(labels)}
    true = sorted({places[prediction.true] for prediction in shown})
    predicted = sorted({places[prediction.predicted] for prediction in shown})
    return tag(
        "form",
        _select("show", "kind", kinds),
        _select("is", "true", [("", "anything"), *((str(p), labels[p]) for p in true)]),
        _select(
            "was called", "predicted", [("", "anything"), *((str(p), labels[p]) for p in predicted)]
        ),
        tag("output", aria_live="polite"),
        class_="filters",
        hidden=True,
    )


def _select(text: str, key: str, options: Sequence[tuple[str, str]]) -> Html:
    choices = [tag("option", shown, value=value) for value, shown in options]
    return tag("label", text, " ", tag("select", choices, name=key))


def _fitting(cards: Iterator[Html], room: int) -> Iterator[Html]:
    for card in cards:
        room -= len(card.encode())
        if room < 0:
            return
        yield card


def _cards(shown: Sequence[Prediction], labels: Sequence[str]) -> Iterator[Html]:
    places = {label: place for place, label in enumerate(labels)}
    top = common_folder(prediction.path for prediction in shown)
    with ThreadPoolExecutor(max_workers=4) as pool:
        pictures = pool.map(lambda prediction: thumbnail(prediction.path), shown)
        for prediction, picture in zip(shown, pictures, strict=True):
            yield _card(prediction, picture, top, places)


def _card(
    prediction: Prediction, picture: tuple[str, int, int] | None, top: str, places: dict[str, int]
) -> Html:
    right = prediction.true == prediction.predicted
    file = prediction.path or f"image {prediction.index}"
    said = f"{percent(prediction.probability)} {prediction.predicted}"
    verdict = tag("b", "✓ " if right else "✗ ", class_="mark", aria_hidden="true")
    truth = join(
        [
            tag("span", percent(prediction.true_probability), class_="p"),
            " ",
            name(prediction.true, 30),
        ]
    )
    return tag(
        "li",
        frame(picture, f"{Path(file).name}: a {prediction.true}, called {said}"),
        tag(
            "p",
            verdict,
            tag("span", percent(prediction.probability), class_="p"),
            " ",
            name(prediction.predicted, 30),
            class_="said",
        ),
        None if right else tag("p", "is ", truth, class_="truth"),
        tag(
            "p",
            name(os.path.relpath(file, top) if top and prediction.path else file, 34),
            class_="file",
        ),
        class_="right" if right else "wrong",
        data_kind="right" if right else "wrong",
        data_true=places[prediction.true],
        data_predicted=places[prediction.predicted],
    )
