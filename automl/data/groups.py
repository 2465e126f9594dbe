"""Which images must stay on one side of every split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from automl.data.dataset import Dataset
    from automl.data.near import NearPair

GROUP = "group"
"""The column that a search groups by where a dataset has it."""


def group_numbers(
    dataset: Dataset, columns: Sequence[str] = (), pairs: Iterable[NearPair] = ()
) -> NDArray[np.int64]:
    """Returns a number for each image, the same for all that belong together.

    That are files of one content, those with the same value in one of `columns` (where there is a
    value), the `pairs`, and whatever these have in common.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(dataset)
    table = dataset.with_ids().table
    edges = [np.array([(pair.first, pair.second) for pair in pairs], np.int64).reshape(-1, 2)]
    for name in ("id", *columns):
        codes = pc.dictionary_encode(table.column(name).combine_chunks()).indices
        numbers = codes.fill_null(-1).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(numbers >= 0)
        first = rows[first_rows(numbers[rows])]
        edges.append(np.stack([rows, first[numbers[rows]]], axis=1))
    start, end = np.concatenate(edges).T
    graph = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)  # type: ignore[no-any-return]


def first_rows(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns where each of the numbers 0 to K - 1 occurs first, `[K]`."""
    first = np.zeros(int(numbers.max(initial=-1)) + 1, np.int64)
    first[numbers[::-1]] = np.arange(len(numbers))[::-1]
    return first
