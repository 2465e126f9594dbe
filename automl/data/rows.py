"""The rows of a dataset: made of what a source yields, and looked at one by one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, overload

import pyarrow as pa

from automl.components import ImageRecord, Rejected
from automl.errors import DataError

CHUNK = 65_536
"""Rows that are Python objects at a time; a million of them would take a gigabyte."""

COLUMNS = ("path", "label", "id", "split", "origin", "name")
"""What every dataset has; whatever else a source knows of its images stands beside."""


@dataclass(frozen=True)
class LabelledImage:
    """One row of a dataset.

    Attributes:
        path: The image file.
        label: Its class.
        id: The first 16 hexadecimal digits of its content's SHA-256; empty if not read yet.
        name: What the user calls it, else the file's name.
        origin: Where the picture came from; empty if unknown.
    """

    path: Path
    label: str
    id: str
    name: str = ""
    origin: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, read from the file's header.

        Raises:
            ImageError: If it is no image.
        """
        from automl.images import probe

        info = probe(self.path)
        return info.width, info.height


class Rows(Sequence[LabelledImage]):
    """A dataset's table as a sequence of images."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @overload
    def __getitem__(self, index: int) -> LabelledImage: ...
    @overload
    def __getitem__(self, index: slice) -> list[LabelledImage]: ...
    def __getitem__(self, index: int | slice) -> LabelledImage | list[LabelledImage]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"expected an index below {len(self)}, found {index}")
        return _image(self._table.slice(index % len(self), 1).to_pylist()[0])

    def __iter__(self) -> Iterator[LabelledImage]:
        for batch in self._table.to_batches():
            for row in batch.to_pylist():
                yield _image(row)


def read_rows(records: Iterable[ImageRecord | Rejected]) -> tuple[pa.Table, list[str]]:
    """Returns what a source yields as a table, and the reasons why rows were left out.

    A file whose name is no UTF-8 has it escaped; decoding will report it.

    Raises:
        DataError: If a class's name is no UTF-8.
    """
    rejected: list[str] = []
    good = _good(records, rejected)
    tables = [_table([])]
    while chunk := list(islice(good, CHUNK)):
        tables.append(_table(chunk))
    return pa.concat_tables(tables, promote_options="default"), rejected


def escaped(name: str | os.PathLike[str]) -> str:
    r"""Returns a file's name as text, with bytes that are no UTF-8 written as `\xe9`."""
    if isinstance(name, str) and name.isascii():
        return name
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _good(records: Iterable[ImageRecord | Rejected], rejected: list[str]) -> Iterator[ImageRecord]:
    for record in records:
        if isinstance(record, Rejected):
            rejected.append(record.reason)
        else:
            yield record


def _table(rows: Sequence[ImageRecord]) -> pa.Table:
    for label in {row.label for row in rows}:
        if escaped(label) != label:
            raise DataError(f"expected class names in UTF-8, found {escaped(label)}; rename it.")
    columns = {
        "path": [escaped(row.path) for row in rows],
        "label": [row.label for row in rows],
        "id": [""] * len(rows),
        "split": [row.split for row in rows],
        "origin": [row.origin for row in rows],
        "name": [escaped(row.name) for row in rows],
    }
    more = dict.fromkeys(key for row in rows for key in row.more)
    columns |= {key: [row.more.get(key) for row in rows] for key in more if key not in columns}
    return pa.table({key: pa.array(values, pa.string()) for key, values in columns.items()})


def _image(row: dict[str, Any]) -> LabelledImage:
    path = Path(row["path"])
    name = row.get("name") or path.name
    return LabelledImage(path, row["label"], row["id"], name, row["origin"])
