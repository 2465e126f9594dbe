"""Cuts and joins rows: arrays by name that agree on their first axis."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from automl_serving.model_server.errors import ServingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]


def split(inputs: Arrays, rows: int, most: int, first: int) -> list[Arrays]:
    """Returns `inputs` in pieces of at most `first` rows, then `most`; no rows are one piece."""
    starts = [0, *range(first, rows, most)]
    return [
        {name: array[start:stop] for name, array in inputs.items()}
        for start, stop in itertools.zip_longest(starts, starts[1:])
    ]


def count(inputs: Arrays) -> int:
    """Returns how many rows there are."""
    return len(next(iter(inputs.values())))


def join(pieces: Sequence[Arrays]) -> Arrays:
    """Returns the rows of all pieces, in order."""
    if len(pieces) == 1:
        return pieces[0]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def run_together(
    run: Callable[[Arrays], Arrays], pieces: Sequence[Arrays]
) -> list[Arrays | Exception]:
    """Runs all pieces at once and returns each one's own rows.

    Where that fails, each runs alone, so that nobody is answered for the inputs of another.
    """
    sizes = [count(piece) for piece in pieces]
    try:
        outputs = run(join(pieces))
        _check(outputs, sum(sizes))
    except Exception as error:
        if len(pieces) == 1:
            return [error]
        return [one for piece in pieces for one in run_together(run, [piece])]
    stops = itertools.accumulate(sizes)
    return [
        {name: array[stop - size : stop] for name, array in outputs.items()}
        for size, stop in zip(sizes, stops, strict=True)
    ]


def _check(outputs: Arrays, rows: int) -> None:
    for name, array in outputs.items():
        if array.shape[:1] != (rows,):
            raise ServingError(
                "FAILED_PRECONDITION",
                f"expected {rows} rows in the output {name!r}, found shape {list(array.shape)}; "
                f"serve this model without batching.",
            )
