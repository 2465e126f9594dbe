"""Numbers and names as people read them, in pictures and reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from automl.plugins import plugin_manager
from automl.records import TrialRecord

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"

# Control characters and lone surrogates (undecodable file names) are in no XML and no UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """Returns `text` with characters that no page can hold replaced by U+FFFD."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def shorten(text: str, length: int) -> str:
    """Returns `text` on one line of at most `length` characters, cut in the middle.

    Names that differ often differ at their ends, so both ends stay.
    """
    line = " ".join(clean(text).split()) or "(empty)"
    if len(line) <= length:
        return line
    tail = (length - 1) // 3
    return f"{line[: length - 1 - tail]}…{line[len(line) - tail :]}"


def percent(share: float | None, digits: int = 1) -> str:
    """Returns a share of 0..1 as a percentage; never 100 for less than all."""
    if share is None:
        return "–"
    number = f"{100 * share:.{digits}f}"
    if share < 1 and float(number) >= 100:
        number = f"{100 - 10**-digits:.{digits}f}"
    return f"{number}{NO_BREAK_SPACE}%"


def duration(seconds: float | None) -> str:
    """Returns a time in seconds in the two units that suit its size."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.2g}{NO_BREAK_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest}{NO_BREAK_SPACE}s"
    hours, minutes = divmod(minutes, 60)
    large, small = (
        (f"{hours} h", f"{minutes:02d} min") if hours else (f"{minutes} min", f"{rest:02d} s")
    )
    return f"{large} {small}".replace(" ", NO_BREAK_SPACE)


def trial_number(row: TrialRecord) -> str:
    """Returns a trial's number as people count, from 1."""
    return str(int(row["trial"]) + 1)


def network(hyperparameters: Mapping[str, Any]) -> str:
    """Returns what a configuration's features come from, such as `resnet 18 + alexnet`."""
    name = _network(number(hyperparameters.get("backbone")), hyperparameters.get("depth"))
    other = hyperparameters.get("fusion", "none")
    if other == "none":
        return name
    backbone, _, depth = number(other).rpartition(" ")
    return f"{name} + {_network(backbone, depth)}"


def _network(backbone: str, depth: object) -> str:
    """Names a network by its depth too, unless its backbone has no other."""
    known = plugin_manager().backbones  # without those of plugins that are not installed any more
    alone = backbone in known and len(known[backbone].depths) == 1
    return backbone if alone or depth is None else f"{backbone} {number(depth)}"


def number(value: object) -> str:
    """Returns a setting's value as a person would write it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else clean(str(value))
