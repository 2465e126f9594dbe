"""Tables as text with commas, semicolons or tabs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from automl.errors import DataError
from automl_plugins.sources.table import Row, TableSource, require_columns

_DELIMITERS = ",;\t"


class CsvSource(TableSource):
    """Reads CSV in UTF-8 whose first line names the columns."""

    name = "csv"
    endings = (".csv", ".tsv")

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the rows by the line they end on.

        Raises:
            DataError: If the first line names no columns for paths and classes.
        """
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            first = file.readline(1 << 20)
            delimiter = max(_DELIMITERS, key=first.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            try:
                columns = next(reader, [])
            except csv.Error as error:
                raise DataError(
                    f"expected the names of columns in the first line of {path}, found it "
                    f"malformed ({error}); correct it."
                ) from error
            require_columns(columns, path)
            if not all(map(_is_utf_8, columns)):
                raise DataError(
                    f"expected the names of columns in UTF-8 in the first line of {path}, found "
                    f"others; save the file as UTF-8."
                )
            if len(set(columns)) < len(columns):
                raise DataError(
                    f"expected columns of different names in the first line of {path}, found one "
                    f"twice; rename it."
                )
            while True:
                try:
                    values = next(reader, None)
                except csv.Error as error:
                    yield f"{path} line {reader.line_num}", f"it malformed ({error})"
                    continue
                if values is None:
                    return
                place = f"{path} line {reader.line_num}"
                if not values:
                    continue
                if len(values) != len(columns):
                    yield place, f"{len(values)} values for {len(columns)} columns"
                elif not _is_utf_8("".join(values)):
                    yield place, "text that is no UTF-8"
                else:
                    yield place, dict(zip(columns, values, strict=True))


def _is_utf_8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
