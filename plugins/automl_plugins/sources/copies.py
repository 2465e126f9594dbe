"""Drops pictures of which the same file has come before, and counts them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from automl.components import ImageRecord, Rejected

Row = ImageRecord | Rejected


def without_copies(rows: Iterable[Row], place: Callable[[ImageRecord], str]) -> Iterator[Row]:
    """Yields the rows but copies, and at the end a `Rejected` for each place that had some.

    The first of several stays, whatever their classes: what answers the words for two of them
    is in one set only, and `automl dataset check` doubts its label if it is the wrong one.

    Args:
        rows: With pictures that are files.
        place: Where a row stands, in words.
    """
    seen: set[bytes] = set()
    copies: Counter[str] = Counter()
    for row in rows:
        if isinstance(row, ImageRecord) and (digest := _digest(Path(row.path))):
            if digest in seen:
                copies[place(row)] += 1
                continue
            seen.add(digest)
        yield row
    for where, number in copies.items():
        yield Rejected(
            f"expected each picture once, found {number:,} in {where} that had come before; they "
            f"are left out."
        )


def _digest(path: Path) -> bytes:
    """Returns what identifies a file's content; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""  # decoding will report it
