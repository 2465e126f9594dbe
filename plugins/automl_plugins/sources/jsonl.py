"""Tables as JSON objects, one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from automl_plugins.sources.table import LABEL_COLUMNS, PATH_COLUMNS, Row, TableSource

_LONGEST = 1 << 20


class JsonlSource(TableSource):
    """Reads JSON objects in UTF-8, one a line; what a line lacks is missing in its row alone."""

    name = "jsonl"
    endings = (".jsonl", ".ndjson")

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the rows by their line."""
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST), b""), 1):
                if line.strip():
                    yield f"{path} line {number}", _parsed(line)


def _parsed(line: bytes) -> dict[str, object] | str:
    if len(line) >= _LONGEST:
        return f"a line of more than {_LONGEST:,} bytes"
    try:
        row = json.loads(line)
        if b"\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()  # escapes can hide what is no UTF-8
    except (ValueError, RecursionError):
        return "no JSON in UTF-8"
    if not isinstance(row, dict):
        return f"JSON that is no object ({type(row).__name__})"
    for key in row:
        if key.strip().lower() in (*PATH_COLUMNS, *LABEL_COLUMNS, "split", "id") and isinstance(
            row[key], (list, dict)
        ):
            return f"a {type(row[key]).__name__} as its {key}"
    return row
