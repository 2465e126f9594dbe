"""Findings about pictures that are in a dataset more than once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from automl.audit.finding import Finding

if TYPE_CHECKING:
    from automl.data.dataset import Dataset
    from automl.data.near import NearPair


def copy_findings(dataset: Dataset, pairs: Sequence[NearPair]) -> Iterator[Finding]:
    """Yields files of one content, nearly the same pictures, and those in several splits.

    Args:
        dataset: The images.
        pairs: What `near_duplicates` finds among them.
    """
    labels = dataset.table.column("label").to_pylist()
    splits = dataset.table.column("split").to_pylist()
    paths, ids = dataset.paths, dataset.ids
    copies = defaultdict(list)
    for row, identity in enumerate(ids):
        copies[identity].append(row)

    def finding(kind: str, rows: Sequence[int], score: float, detail: str) -> Finding:
        return Finding(kind, tuple(paths[row] for row in rows), score, detail, rows=tuple(rows))

    def described(what: str, rows: Sequence[int]) -> str:
        named = sorted({labels[row] for row in rows})
        return what if len(named) == 1 else f"{what}, in the classes {', '.join(named)}"

    for rows in copies.values():
        if len(rows) > 1:
            what = described(f"{len(rows)} files of one content", rows)
            yield finding("exact_duplicate", rows, 1.0, what)
            if leak := _splits(splits, rows):
                yield finding("leakage", rows, 1.0, f"the same file in {leak}")
    for pair in pairs:
        rows = [pair.first, pair.second]
        what = described(f"{100 * pair.score:.1f} % alike", rows)
        yield finding("near_duplicate", rows, pair.score, what)
        every = [row for one in rows for row in copies[ids[one]]]
        if leak := _splits(splits, every):
            yield finding("leakage", every, pair.score, f"nearly the same picture in {leak}")


def _splits(splits: Sequence[str | None], rows: Sequence[int]) -> str:
    """Returns the splits that rows are in, in words; nothing if there is only one."""
    found = sorted({splits[row] or "no split" for row in rows})
    return " and ".join(found) if len(found) > 1 else ""
