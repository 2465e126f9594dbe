"""Findings about classes: too small, or far larger than others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from automl.audit.finding import Finding

if TYPE_CHECKING:
    from automl.data.dataset import Dataset

FEW = 10
"""Fewer images than these are hardly enough to learn a class from."""

MOST_TIMES = 10.0
"""How many times larger than the smallest class the largest may be."""


def class_findings(dataset: Dataset) -> Iterator[Finding]:
    """Yields small classes, the smallest first, and the imbalance of the largest."""
    counts = dataset.counts
    for label, count in counts.items():
        if count < FEW:
            detail = f"{count} image{'' if count == 1 else 's'}"
            yield Finding("small_class", (), 1 - count / FEW, detail, label=label)
    if not counts:
        return
    largest = max(counts, key=lambda label: counts[label])
    smallest = min(counts, key=lambda label: counts[label])
    times = counts[largest] / max(1, counts[smallest])
    if times > MOST_TIMES:
        detail = f"{counts[largest]:,} images, {times:.0f} times as many as {smallest}"
        yield Finding("imbalance", (), times, detail, label=largest)
