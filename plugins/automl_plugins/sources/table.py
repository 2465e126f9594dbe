"""What sources that are tables share: which columns mean what, and which rows are rejected."""

from __future__ import annotations

import abc
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from automl.components import SPLITS, ImageRecord, ImageSource, Rejected
from automl.data.web import downloaded, is_address
from automl.errors import DataError

PATH_COLUMNS = ("path", "file", "filename", "image", "url")
LABEL_COLUMNS = ("label", "class")
SPLIT_NAMES = {**{name: name for name in SPLITS}, "validation": "val", "valid": "val", "dev": "val"}

Row = tuple[str, Mapping[str, Any] | str]
"""Where a row stands, such as `photos.csv line 7`, and its values by column or why it has none."""


class TableSource(ImageSource):
    """Reads a table with a column for the picture's path or address, and one for its class.

    Columns are found by name (`path`, `file`, `filename`, `image` or `url`; `label` or `class`).
    There may be `split` (train, val or test), `id` (what you call the picture) and `origin`; other
    columns are kept. Paths are relative to the table's folder. Pictures on the web are
    downloaded.
    """

    endings: tuple[str, ...]

    def accepts(self, location: str) -> bool:
        """Says whether the file's name ends as such tables' do."""
        return location.lower().endswith(self.endings) and not Path(location).is_dir()

    def read(self, location: str, folder: Path) -> Iterator[ImageRecord | Rejected]:
        """Yields the rows in the table's order; those that make no sense as `Rejected`.

        Raises:
            DataError: If it is missing or is no such table.
        """
        path = Path(location)
        if not path.is_file():
            raise DataError(f"expected a table at {path}, found nothing; check the path.")
        try:
            yield from downloaded(self._records(path), folder)
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"expected to read {path}, found: {reason}; check it.") from error

    @abc.abstractmethod
    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the table's rows.

        Raises:
            DataError: If it is no such table.
        """

    def _records(self, path: Path) -> Iterator[ImageRecord | Rejected]:
        base = os.path.dirname(path.absolute())  # noqa: PTH120 - a million joins with Path are slow
        names: Mapping[str, str] = {}
        found = False
        for place, row in self.rows(path):
            found = True
            if isinstance(row, str):
                yield Rejected(f"expected a row in {place}, found {row}; correct it.")
                continue
            if not row.keys() <= names.keys():
                names = {**names, **_meanings(row)}
            yield _record(place, row, names, base)
        if not found:
            raise DataError(f"expected rows in {path}, found none; check the file.")


def require_columns(columns: list[str], path: Path) -> None:
    """Checks that a table with fixed columns has one for paths and one for classes.

    Raises:
        DataError: If not.
    """
    for wanted in (PATH_COLUMNS, LABEL_COLUMNS):
        if not set(wanted) & {column.strip().lower() for column in columns}:
            shown = ", ".join(repr(column[:40]) for column in columns[:10]) or "none"
            raise DataError(
                f"expected a column named {' or '.join(wanted)} in {path}, found {shown}; "
                f"name the columns in the first line."
            )


def _meanings(row: Mapping[str, Any]) -> dict[str, str]:
    """Returns what each column is, by its name as written."""
    meanings = {}
    for column in row:
        name = column.strip().lower()
        if name in PATH_COLUMNS:
            meanings[column] = "path"
        elif name in LABEL_COLUMNS:
            meanings[column] = "label"
        else:
            meanings[column] = {"split": "split", "id": "name", "origin": "origin"}.get(name, "")
    return meanings


def _record(
    place: str, row: Mapping[str, Any], names: Mapping[str, str], base: str
) -> ImageRecord | Rejected:
    values: dict[str, str] = {}
    more: dict[str, str] = {}
    for column, value in row.items():
        if value is None or value == "":
            continue
        text = value if isinstance(value, str) else _text(value)
        meaning = names[column]
        if meaning:
            values.setdefault(meaning, text)
        else:
            more[column] = text
    for wanted in ("path", "label"):
        if not values.get(wanted, "").strip():
            return Rejected(
                f"expected a {wanted} in {place}, found none; add it or remove the row."
            )
    path, split = values["path"], values.get("split")
    if "\0" in path:
        return Rejected(f"expected a path in {place}, found one with a NUL; correct it.")
    if split is not None:
        known = SPLIT_NAMES.get(split.strip().lower())
        if known is None:
            return Rejected(
                f"expected the split train, val or test in {place}, found {split[:40]!r}; "
                f"correct it."
            )
        split = known
    origin = values.get("origin", "")
    if is_address(path):
        origin = origin or path
    else:
        path = path if path[0] == "/" else f"{base}/{path}"  # `os.path.join` takes 2 s a million
    return ImageRecord(path, values["label"], split, origin, values.get("name", ""), more)


def _text(value: object) -> str:
    # Labels such as 7 may have become 7.0 on their way through a data frame.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
