"""What the tables of a page have in common."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from automl.evaluation.report.html import Html, tag


def header(columns: Sequence[str], numeric: Collection[str] = ()) -> Html:
    """Returns a table's head; the `numeric` columns are aligned to the right."""
    return tag(
        "thead",
        tag(
            "tr",
            [
                tag("th", column, scope="col", class_="n" if column in numeric else None)
                for column in columns
            ],
        ),
    )


def scrolling(table: Html, label: str) -> Html:
    """Returns a table in a frame that is scrolled, with the keyboard too, where it is long."""
    return tag("div", table, class_="scroll tall", tabindex=0, role="region", aria_label=label)
