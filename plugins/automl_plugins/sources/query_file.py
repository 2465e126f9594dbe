"""Reads a query file: JSON from a class to a list of texts, folders and addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from automl.components import Rejected
from automl.data.web import is_address
from automl.errors import DataError

MOST_BYTES = 10_000_000
"""The longest query file."""


class Entry(NamedTuple):
    """One of the things that a query file lists for a class.

    Attributes:
        label: The class.
        text: What is written, without spaces around it.
    """

    label: str
    text: str

    @property
    def is_query(self) -> bool:
        """Whether it is text to look for: addresses and paths have a slash in them."""
        return "/" not in self.text

    def __str__(self) -> str:
        return f"class {_shown(self.label)}, entry {_shown(self.text)}"


class _Object(list[tuple[str, Any]]):
    """A JSON object as it is written, in which a name may stand twice."""


def read_query_file(path: Path) -> Iterator[Entry | Rejected]:
    """Yields the entries in the file's order; those that make no sense as `Rejected`.

    Raises:
        DataError: If it is missing or is no JSON object.
    """
    content = _parsed(path)
    if not isinstance(content, _Object):
        raise _no_query_file(path, f"JSON that is no object ({type(content).__name__})")
    if not content:
        raise _no_query_file(path, "no class in it")
    for label, entries in content:
        place = f"{path}, class {_shown(label)}"
        if not label.strip() or not _is_utf_8(label):
            yield Rejected(f"expected the name of a class in {place}, found none; correct it.")
        elif type(entries) is not list or not entries:
            found = "an empty one" if entries == [] else "something else"
            yield Rejected(
                f"expected a list of texts, folders and addresses in {place}, found {found}; "
                f"correct it."
            )
        else:
            for number, entry in enumerate(entries, 1):
                yield _entry(label, entry, f"{place}, entry {number}")


def _parsed(path: Path) -> Any:
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise _no_query_file(path, f"that it cannot be read ({error.strerror})") from error
    if size > MOST_BYTES:
        raise _no_query_file(path, f"a file of more than {MOST_BYTES:,} bytes")
    try:
        return json.loads(content, object_pairs_hook=_Object)
    except json.JSONDecodeError as error:
        found = f"no JSON from line {error.lineno}, column {error.colno} on"
        raise _no_query_file(path, found) from error
    except (ValueError, RecursionError) as error:
        raise _no_query_file(path, "no JSON in UTF-8") from error


def _entry(label: str, entry: object, place: str) -> Entry | Rejected:
    if not isinstance(entry, str) or not entry.strip():
        found = "an empty text" if isinstance(entry, str) else "something else"
        return Rejected(
            f"expected a text, a folder or an address in {place}, found {found}; correct it."
        )
    if "\0" in entry or not _is_utf_8(entry):
        return Rejected(f"expected text in UTF-8 in {place}, found other bytes; correct it.")
    scheme, separator, _ = entry.strip().partition("://")
    if separator and scheme.isalnum() and not is_address(entry.strip()):
        return Rejected(
            f"expected an address that begins with https:// or http:// in {place}, found "
            f"{_shown(entry)}; use another."
        )
    return Entry(label, entry.strip())


def _no_query_file(path: Path, found: str) -> DataError:
    return DataError(
        f'expected a query file, as {{"cup": ["plastic cup", "../cups"]}}, at {path}, found '
        f"{found}; correct it."
    )


def _is_utf_8(text: str) -> bool:
    # Escapes such as \ud800 can hide what is none.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
