"""What the classifier learned from and was measured on."""

from __future__ import annotations

from automl.evaluation.report.doubts import doubted
from automl.evaluation.report.html import Html, name, tag
from automl.evaluation.report.tables import header, scrolling
from automl.records import RunRecord

MOST_FILES = 300
"""The most files that were set aside to list."""


def data_section(run: RunRecord) -> Html:
    """Returns images by class and split, and the files that were set aside or are doubted."""
    return tag(
        "section",
        tag("h2", "Data"),
        _counts(run),
        _set_aside(run),
        doubted(run["doubts"]),
        id="data",
    )


def _counts(run: RunRecord) -> Html:
    train, test = run["counts"].get("train", {}), run["counts"].get("test", {})
    rows = [(label, train.get(label, 0), test.get(label, 0)) for label in run["labels"]]
    most = max((learned + held for _, learned, held in rows), default=0) or 1
    total = sum(learned for _, learned, _ in rows), sum(held for _, _, held in rows)
    bars = [
        tag(
            "tr",
            tag("th", name(label), scope="row"),
            tag("td", learned, class_="n"),
            tag("td", held, class_="n"),
            tag(
                "td",
                tag("span", class_="bar train", style=f"width:{100 * learned / most:.2f}%"),
                tag("span", class_="bar test", style=f"width:{100 * held / most:.2f}%"),
                class_="bars",
                aria_hidden="true",
            ),
        )
        for label, learned, held in rows
    ]
    return scrolling(
        tag(
            "table",
            tag("caption", f"{sum(total):,} images in {len(rows)} classes"),
            tag(
                "thead",
                tag(
                    "tr",
                    tag("th", "class", scope="col"),
                    tag("th", tag("span", class_="key train"), "training", scope="col", class_="n"),
                    tag("th", tag("span", class_="key test"), "test", scope="col", class_="n"),
                    tag("td", aria_hidden="true"),
                ),
            ),
            tag("tbody", bars),
            tag(
                "tfoot",
                tag(
                    "tr",
                    tag("th", "all", scope="row"),
                    [tag("td", f"{images:,}", class_="n") for images in total],
                    tag("td", aria_hidden="true"),
                ),
            ),
            class_="counts",
        ),
        "Images by class",
    )


def _set_aside(run: RunRecord) -> Html:
    files = run["unreadable"]
    if not files:
        return tag("p", "Every file could be read.", class_="quiet")
    rest = len(files) - MOST_FILES
    return tag(
        "details",
        tag(
            "summary",
            f"{len(files):,} file{' was' if len(files) == 1 else 's were'} set aside, "
            "for not being readable as an image",
        ),
        scrolling(
            tag(
                "table",
                header(("file", "reason")),
                tag(
                    "tbody",
                    [
                        tag(
                            "tr", tag("td", name(file["path"], 70)), tag("td", file["reason"][:500])
                        )
                        for file in files[:MOST_FILES]
                    ],
                ),
            ),
            "Files that were set aside",
        ),
        tag("p", f"… and {rest:,} more, all in run.json.") if rest > 0 else None,
        open=len(files) <= 10,
    )
