"""The findings as one HTML page that shows the pictures, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

from automl.audit.check import Audit
from automl.audit.finding import KINDS, Finding
from automl.evaluation.report.cards import file_name, framed, labels
from automl.evaluation.report.document import document, script
from automl.evaluation.report.html import Html, name, tag
from automl.evaluation.report.tables import header
from automl.evaluation.report.thumbnails import common_folder
from automl.files import replacing

MOST_CARDS = 60
"""The most findings of a kind that are shown; all are in the JSON."""

MOST_PICTURES = 4
"""The most pictures of one finding that are shown."""


def as_object(audit: Audit) -> dict[str, Any]:
    """Returns an audit as JSON values."""
    return {
        "images": audit.images,
        "classes": audit.classes,
        "findings": [finding.to_json() for finding in audit.findings],
        "notes": list(audit.notes),
    }


def write_audit(folder: Path, title: str, audit: Audit, version: str) -> tuple[Path, Path]:
    """Writes `audit.html` and `audit.json` into `folder`, each whole or not at all.

    Returns:
        Their paths.
    """
    page, listing = folder / "audit.html", folder / "audit.json"
    with replacing(page) as file:
        file.write(_render(title, audit, version).encode())
    with replacing(listing) as file:
        file.write((json.dumps(as_object(audit), indent=1, ensure_ascii=False) + "\n").encode())
    return page, listing


def _render(title: str, audit: Audit, version: str) -> str:
    kinds = [(kind, list(found)) for kind, found in groupby(audit.findings, lambda each: each.kind)]
    top = common_folder(path for finding in audit.findings for path in finding.images)
    body = tag(
        "body",
        tag("a", "To the findings", href="#main", class_="skip"),
        _head(title, audit, kinds),
        tag(
            "nav", [tag("a", _title(kind), href=f"#{kind}") for kind, _ in kinds], aria_label="Page"
        ),
        tag("main", [_section(kind, found, top) for kind, found in kinds], id="main"),
        script(),
    )
    return document(f"{title}: {len(audit.findings):,} findings", version, body)


def _head(title: str, audit: Audit, kinds: Sequence[tuple[str, list[Finding]]]) -> Html:
    return tag(
        "header",
        tag(
            "p",
            f"Check of a dataset · {audit.images:,} images · {audit.classes} classes",
            class_="over",
        ),
        tag("h1", name(title, 60)),
        tag(
            "table",
            header(("finding", "number", "what it is"), {"number"}),
            tag(
                "tbody",
                [
                    tag(
                        "tr",
                        tag("th", tag("a", _title(kind), href=f"#{kind}"), scope="row"),
                        tag("td", f"{len(found):,}", class_="n"),
                        tag("td", KINDS[kind]),
                    )
                    for kind, found in kinds
                ],
            ),
        )
        if kinds
        else tag("p", "Nothing was found to be wrong."),
        [tag("p", note, class_="caution") for note in audit.notes],
        class_="head",
    )


def _section(kind: str, found: Sequence[Finding], top: str) -> Html:
    shown = found[:MOST_CARDS]
    rest = len(found) - len(shown)
    with ThreadPoolExecutor(max_workers=4) as pool:
        cards = list(pool.map(lambda finding: _card(finding, top), shown))
    return tag(
        "section",
        tag("h2", _title(kind)),
        tag("p", KINDS[kind], class_="quiet"),
        tag("ul", cards, class_="cards"),
        tag("p", f"… and {rest:,} more, all in audit.json.", class_="quiet") if rest else None,
        id=kind,
    )


def _card(finding: Finding, top: str) -> Html:
    pictures = [framed(path) for path in _shown(finding)]
    said = labels(finding.label, finding.suggested) if finding.label else None
    files = [file_name(path, top) for path in finding.images[:MOST_PICTURES]]
    more = len(finding.images) - MOST_PICTURES
    return tag(
        "li",
        tag("div", pictures, class_="several") if len(pictures) > 1 else pictures,
        said,
        tag("p", name(finding.detail, 120), class_="truth"),
        files,
        tag("p", f"… and {more:,} more", class_="file") if more > 0 else None,
    )


def _shown(finding: Finding) -> tuple[str, ...]:
    # Copies of one content look the same.
    return finding.images[: 1 if finding.kind == "exact_duplicate" else MOST_PICTURES]


def _title(kind: str) -> str:
    return kind.replace("_", " ").capitalize()
