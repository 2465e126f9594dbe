"""Pictures as parts of a page, in the page's own colours and fonts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from automl.evaluation.report.html import Html, tag

if TYPE_CHECKING:
    from automl.evaluation.pictures import Picture

_POINTS_PER_INCH = 72
_ID = re.compile(r'(\bid="|\bxlink:href="#|url\(#)')


def figure(picture: Picture, key: str, description: str, caption: Html | str = "") -> Html:
    """Returns a picture as inline SVG.

    Args:
        picture: What to show.
        key: Unlike any other on the page, made of letters, digits and hyphens.
        description: What it shows, in words, for those who do not see it.
        caption: What stands under it.
    """
    return tag(
        "figure",
        inline_svg(picture, key, description),
        tag("figcaption", caption) if caption else None,
        class_="picture",
    )


def inline_svg(picture: Picture, key: str, description: str) -> Html:
    """Returns a picture's SVG, its ids unique and its colours the page's variables."""
    content = picture.svg(background=False)
    content = content[content.index(">", content.index("<svg")) + 1 : content.rindex("</svg>")]
    # The style sheet of one picture would apply to the whole page.
    content = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", content, flags=re.DOTALL)
    content = re.sub(r"\s*\n\s*", " ", content)
    # Tags alone are changed: a label may read like an id or a colour.
    content = re.sub("<[^>]+>", lambda found: _themed(_ID.sub(rf"\g<0>{key}-", found[0])), content)
    width, height = (side * _POINTS_PER_INCH for side in picture.get_size_inches())
    return Html(
        tag(
            "svg",
            Html(content),
            role="img",
            aria_label=description,
            viewBox=f"0 0 {width:g} {height:g}",
            style=f"width:{width:g}pt",
        )
    )


def _themed(element: str) -> str:
    from automl.evaluation.pictures import style

    for colour in style.THEMED:
        element = element.replace(getattr(style, colour), f"var(--{colour.lower()})")
    return element
