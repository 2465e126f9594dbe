"""HTML that is escaped unless it says that it is HTML already."""

from __future__ import annotations

import html
from collections.abc import Iterable

from automl.evaluation.text import clean, shorten

VOID = frozenset({"br", "col", "img", "input", "link", "meta"})
"""Elements without content and without an end tag."""


class Html(str):
    """Text that is HTML already and goes into a page as it is."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Html:
    """Returns an element.

    Args:
        name: Of the element.
        *children: What is inside; text is escaped, `Html` is not, `None` is left out, and
            iterables are flattened.
        **attributes: Escaped; a trailing underscore is dropped and others become hyphens.
            `True` stands alone, `None` and `False` are left out.
    """
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    if name in VOID:
        return Html(start)
    return Html(f"{start}{join(children)}</{name}>")


def join(children: Child) -> Html:
    """Returns children, one after the other."""
    if children is None:
        return Html()
    if isinstance(children, Html):
        return children
    if isinstance(children, str | int | float):
        return Html(html.escape(clean(str(children)), quote=False))
    return Html("".join(join(child) for child in children))


def name(text: str, length: int = 40) -> Html:
    """Returns a label or a path, shortened if need be with the whole of it at the pointer."""
    short = shorten(text, length)
    return tag("span", short, title=None if short == text else text, class_="name")


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    written = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {written}"
    return f' {written}="{html.escape(clean(str(value)))}"'
