"""One thing that is wrong with a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS: Mapping[str, str] = {
    "unreadable": "Files that are no image, or are cut off.",
    "leakage": "The same picture in several splits: a model is asked what it has seen.",
    "label_error": "Images whose label a model that has not seen them doubts.",
    "exact_duplicate": "Files of the same content.",
    "near_duplicate": "Nearly the same picture: encoded again, resized or slightly cropped.",
    "outlier": "Images unlike all others.",
    "blank": "Images of a single colour.",
    "extreme_size": "Images much larger, smaller or narrower than the others.",
    "false_format": "Files whose name says another format than their content.",
    "small_class": "Classes with too few images to learn from.",
    "imbalance": "Classes far larger than others.",
}
"""What each kind is, the most harmful first."""


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        kind: One of `KINDS`.
        images: The files it is about; none where it is about a class.
        score: How sure or how bad it is; the larger the worse, comparable inside a kind.
        detail: A phrase that says what was found.
        label: The label in question; empty where there is none.
        suggested: What the label may have to be; empty where that is unknown.
        rows: The images' rows in the dataset.
    """

    kind: str
    images: tuple[str, ...]
    score: float
    detail: str
    label: str = ""
    suggested: str = ""
    rows: tuple[int, ...] = field(default=(), compare=False)

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON values."""
        labels = {"label": self.label, "suggested": self.suggested}
        return {
            "kind": self.kind,
            "images": list(self.images),
            "score": round(self.score, 4),
            "detail": self.detail,
            **{key: value for key, value in labels.items() if value},
        }


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Returns the findings kind by kind, in each the surest or worst first."""
    places = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(findings, key=lambda each: (places[each.kind], -each.score, each.images))
