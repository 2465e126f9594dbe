"""The options that a target is given: known ones only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from automl.errors import UsageError


def check_options(target: str, known: Sequence[str], given: Iterable[str]) -> None:
    """Checks that a target knows all options that it is given.

    Raises:
        UsageError: If one is unknown.
    """
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else "leave it out."
            raise UsageError(
                f"expected an option of the target {target!r} ({', '.join(known)}), found "
                f"{name!r}; {meant}"
            )
