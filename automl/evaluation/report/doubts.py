"""Training images whose labels are doubted, and those unlike all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from automl.evaluation.report.cards import file_name, framed, labels
from automl.evaluation.report.html import Html, join, tag
from automl.evaluation.report.thumbnails import common_folder
from automl.records import DoubtsRecord

MOST_CARDS = 24
"""The most images of each kind that are shown."""


def doubted(found: DoubtsRecord | None) -> Html | None:
    """Returns the images that the search's first trial doubted; `None` where it looked at none."""
    if not found:
        return None
    wrong, far = found["labels"], found["outliers"]
    said = [f"{_images(len(wrong))} may be labelled wrongly"]
    if far:
        said.append(f"{_images(len(far))} may not belong")
    return tag(
        "details",
        tag("summary", ", ".join(said)),
        tag("p", _how(found), class_="quiet"),
        _cards(wrong),
        _cards(far),
    )


def _how(found: DoubtsRecord) -> Html:
    compared = (
        f"{found['compared']:,} were compared with one another."
        if found["compared"]
        else "They are too many to be compared with one another here."
    )
    return join(
        [
            f"The first trial on all images judged {found['judged']:,} that it was not fitted on. ",
            f"{compared} ",
            tag("code", "automl dataset check"),
            " looks closer, ",
            tag("code", "automl dataset clean"),
            " makes a version without what is wrong.",
        ]
    )


def _cards(images: Sequence[Mapping[str, Any]]) -> Html | None:
    if not images:
        return None
    shown = images[:MOST_CARDS]
    top = common_folder(image["path"] for image in images)
    with ThreadPoolExecutor(max_workers=4) as pool:
        frames = list(pool.map(lambda image: framed(image["path"]), shown))
    cards = [
        tag(
            "li",
            frame,
            labels(image["label"], image.get("suggested")),
            _distance(image),
            file_name(image["path"], top),
        )
        for image, frame in zip(shown, frames, strict=True)
    ]
    rest = len(images) - len(shown)
    return tag(
        "div",
        tag("ul", cards, class_="cards"),
        tag("p", f"… and {rest:,} more, all in run.json.", class_="quiet") if rest else None,
    )


def _distance(image: Mapping[str, Any]) -> Html | None:
    if "deviations" not in image:
        return None
    said = f"{image['deviations']:.0f} deviations farther from its neighbours than usual"
    return tag("p", said, class_="truth")


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"
