"""Parts of the cards that show an image of a dataset."""

from __future__ import annotations

import os
from pathlib import Path

from automl.evaluation.report.html import Html, name, tag
from automl.evaluation.report.thumbnails import thumbnail


def framed(path: str) -> Html:
    """Returns the picture in its frame, or that there is none."""
    return frame(thumbnail(path), Path(path).name)


def frame(picture: tuple[str, int, int] | None, alt: str) -> Html:
    """Returns a frame with what `thumbnail` has made of a picture."""
    if picture is None:
        return tag("div", tag("span", "no picture", class_="nothing"), class_="frame")
    address, width, height = picture
    image = tag("img", src=address, width=width, height=height, alt=alt)
    return tag("div", image, class_="frame")


def labels(given: str, suggested: str | None) -> Html:
    """Returns an image's label, and the one that suits it better."""
    better = [" → ", name(suggested, 30)] if suggested else []
    return tag("p", name(given, 30), better, class_="said")


def file_name(path: str, top: str) -> Html:
    """Returns the path, from the folder `top` on that all have in common."""
    return tag("p", name(os.path.relpath(path, top) if top else path, 60), class_="file")
