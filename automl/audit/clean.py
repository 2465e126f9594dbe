"""Accepted findings applied to a dataset; the files are left as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from automl.data.dataset import Dataset
from automl.errors import DataError, UsageError

REMOVES_ALL = frozenset({"unreadable", "blank", "outlier", "extreme_size"})
KEEPS_FIRST = frozenset({"exact_duplicate", "near_duplicate"})
LEAVES_SPLIT = "leakage"
RELABELS = "label_error"

APPLICABLE = (*sorted(REMOVES_ALL | KEEPS_FIRST), LEAVES_SPLIT, RELABELS)
"""Kinds of findings that can be applied; the others are for people to act on."""

_HELD_OUT_FIRST = {"test": 0, "val": 1, "train": 2}


def chosen(findings: Sequence[Mapping[str, Any]], accepted: Sequence[str]) -> list[Any]:
    """Returns the findings that are accepted.

    Args:
        findings: As the check's JSON lists them, the surest of each kind first.
        accepted: Kinds, or `KIND:N` for the first N of a kind.

    Raises:
        UsageError: If there is no such kind, or it cannot be applied.
    """
    taken = []
    for text in accepted:
        kind, _, most = text.partition(":")
        if kind not in APPLICABLE or (most and not most.isdecimal()):
            raise UsageError(
                f"expected a kind of finding that can be applied ({', '.join(APPLICABLE)}), or "
                f"the first of it as label_error:20, found {text!r}; correct it."
            )
        of_kind = [finding for finding in findings if finding["kind"] == kind]
        taken += of_kind[: int(most)] if most else of_kind
    return taken


def cleaned(dataset: Dataset, findings: Iterable[Mapping[str, Any]]) -> tuple[Dataset, str]:
    """Returns the dataset without what `findings` remove, with the labels they suggest.

    Of copies the first stays; of a picture in several splits the one in test, else in val.

    Returns:
        The dataset, and what was changed in words.

    Raises:
        DataError: If a finding is about a file that the dataset does not hold, or nothing is left.
    """
    rows_of: dict[str, list[int]] = {}
    for row, path in enumerate(dataset.paths):
        rows_of.setdefault(path, []).append(row)
    labels = dataset.table.column("label").to_pylist()
    splits = dataset.table.column("split").to_pylist()
    removed: set[int] = set()
    changes: Counter[str] = Counter()
    for finding in findings:
        kind, rows = finding["kind"], _rows(finding, rows_of)
        if kind == RELABELS:
            for row in rows:
                labels[row] = finding["suggested"]
            changes["relabelled"] += len(rows)
            continue
        left = [row for row in rows if row not in removed]
        if kind in KEEPS_FIRST:
            left = left[1:]
        elif kind == LEAVES_SPLIT:
            order = sorted(left, key=lambda row: (_HELD_OUT_FIRST.get(splits[row], 3), row))
            left = [row for row in order[1:] if splits[row] != splits[order[0]]]
        removed.update(left)
    changes["removed"] = len(removed)
    kept = np.array([row for row in range(len(dataset)) if row not in removed], np.int64)
    if not len(kept):
        raise DataError("expected images to be left, found that all would go; accept less.")
    column = dataset.table.schema.get_field_index("label")
    table = dataset.table.set_column(column, "label", pa.array(labels, pa.string()))
    result = Dataset(table.take(pa.array(kept)))
    words = [f"{count:,} {what}" for what, count in sorted(changes.items()) if count]
    return result, " and ".join(words) or "nothing"


def _rows(finding: Mapping[str, Any], rows_of: Mapping[str, Sequence[int]]) -> list[int]:
    rows: list[int] = []
    for path in dict.fromkeys(finding["images"]):
        if path not in rows_of:
            raise DataError(
                f"expected findings about this dataset, found {path}, which it does not hold; "
                f"check it again."
            )
        rows += rows_of[path]
    return rows
