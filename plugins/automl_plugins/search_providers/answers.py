"""Looks into answers that may be anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def objects(answer: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """Yields the objects of the list `name`; none where there is no such list."""
    found = answer.get(name)
    for each in found if isinstance(found, list) else []:
        if isinstance(each, dict):
            yield each


def text(answer: Mapping[str, Any], name: str) -> str:
    """Returns the text `name`; empty where there is none."""
    found = answer.get(name)
    return found if isinstance(found, str) else ""


def number(answer: Mapping[str, Any], name: str) -> int:
    """Returns the whole number `name`; 0 where there is none."""
    found = answer.get(name)
    return found if isinstance(found, int) else 0
