"""What every page has around its content: a policy, a style sheet and a script of its own."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from automl.evaluation.report.html import Html, tag


def document(title: str, version: str, body: Html) -> str:
    """Returns a whole page that fetches nothing, and that a content security policy keeps so.

    Args:
        title: Shown by the browser.
        version: Of automl, which made it.
        body: The element `body`.
    """
    return f"<!DOCTYPE html>\n{tag('html', _head(title, version), body, lang='en')}\n"


def script() -> Html:
    """Returns the script that sorts, filters and copies; it stands at the end of the body."""
    return tag("script", Html(_asset("report.js")))


def _head(title: str, version: str) -> Html:
    digest = base64.b64encode(hashlib.sha256(_asset("report.js").encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content=f"automl {version}".strip()),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        tag("style", Html(_asset("report.css"))),
    )


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
