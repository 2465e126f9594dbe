"""Lends out requests of a model that OpenVINO has compiled for several ways of being asked."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from automl_plugins.runtimes.openvino_apart import PAUSE
from automl_plugins.runtimes.openvino_compiling import Compiled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOMENT = 0.1
"""For how many seconds after two calls at a time others are expected."""


class Requests:
    """A call that is alone gets all cores; calls at a time get one each.

    Thus none is wasted on waiting for one another.
    """

    def __init__(self, compiled: Compiled, pause: float) -> None:
        """Takes a model by the ways of being asked.

        Args:
            compiled: The model.
            pause: Seconds between two steps of `warm_up`, where others answer in the meantime.
        """
        self._compiled, self._pause = dict(compiled), pause
        # A call has one to itself: threads share nothing.
        self._idle: dict[str, deque[Any]] = {way: deque() for way in compiled}
        self._lent, self._lock = 0, threading.Lock()
        self._together = -math.inf

    @contextlib.contextmanager
    def one(self, inputs: Iterable[NDArray[np.generic]]) -> Iterator[Any]:
        """Lends one out for such inputs."""
        pair = "pairs" in self._compiled and all(array.shape[:1] == (2,) for array in inputs)
        now = time.monotonic()
        with self._lock:
            if self._lent:
                self._together = now
            # Under load, too, there is a moment between two calls.
            shared = now - self._together < _MOMENT
            way = "alone" if not shared else "pairs" if pair else "many"
            self._lent += 1
        try:
            try:
                request = self._idle[way].pop()
            except IndexError:
                request = self._compiled[way].create_infer_request()
            yield request
            self._idle[way].append(request)
        finally:
            with self._lock:
                self._lent -= 1

    def warm_up(self, inputs: Mapping[str, NDArray[np.generic]]) -> None:
        """Runs `inputs` in each way; of rows, the first one, if there is one.

        OpenVINO prepares much when it is asked first, and little for each further number of rows.
        """
        has_rows = "pairs" in self._compiled
        if has_rows and not all(map(len, inputs.values())):
            return
        for way, compiled in self._compiled.items():
            asked = dict(inputs)
            if has_rows:
                rows = 2 if way == "pairs" else 1
                asked = {name: array[:1].repeat(rows, 0) for name, array in inputs.items()}
            compiled.create_infer_request().infer(asked)
            time.sleep(self._pause)

    def close(self) -> None:
        """Frees the model; others are likely to have taken its place."""
        while self._compiled:
            way, _ = self._compiled.popitem()
            del self._idle[way]
            # OpenVINO frees it under the interpreter's lock, which requests need in between.
            time.sleep(PAUSE)
