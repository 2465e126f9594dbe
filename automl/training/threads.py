"""Several fits at a time, where one keeps only one core busy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from automl.hardware import cores


@contextlib.contextmanager
def several_at_a_time(tasks: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """Gives a `map` that does several tasks at a time, each with its linear algebra on one core.

    Fits of small sets keep one core busy; on several at a time, their folds take turns less.
    """
    workers = min(tasks, cores())
    if workers < 2:
        yield map
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        yield pool.map
