"""Runs a model that OpenVINO has compiled for several ways of being asked."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl_plugins.runtimes.openvino_apart import PAUSE
from automl_plugins.runtimes.openvino_compiling import Compiled, takes_one_row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]

_MOMENT = 0.1
"""For how many seconds after two calls at a time others are expected."""


class Requests:
    """A row that is alone gets all cores; rows at a time get one each.

    Thus none is wasted on waiting for one another.
    """

    def __init__(self, compiled: Compiled, outputs: Collection[str], pause: float) -> None:
        """Takes a model by the ways of being asked.

        Args:
            compiled: The model.
            outputs: What of its outputs is wanted.
            pause: Seconds between two steps of `warm_up`, where others answer in the meantime.
        """
        self._compiled, self._outputs, self._pause = dict(compiled), outputs, pause
        self._by_row = takes_one_row(compiled["many"])
        self._width = at_a_time(compiled["many"])
        # A call has those it takes to itself: threads share nothing.
        self._idle: dict[str, deque[_Request]] = {way: deque() for way in compiled}
        self._calls, self._lock = 0, threading.Lock()
        self._together = -math.inf

    def infer(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Returns the outputs by name."""
        import numpy as np

        rows = len(next(iter(inputs.values()))) if self._by_row else 1
        if not rows:  # of which only the outputs' shapes are to be known
            one = {
                name: np.zeros((1, *each.shape[1:]), each.dtype) for name, each in inputs.items()
            }
            return {name: array[:0] for name, array in self.infer(one).items()}
        with self._counted() as shared:
            way, pieces = self._planned(inputs, rows, shared)
            requests = [self._taken(way) for _ in pieces[: self._width]]
            answers: list[dict[str, NDArray[np.generic]]] = [
                request.outputs() for request in in_turn(requests, pieces)
            ]
            self._idle[way].extend(requests)
        if len(answers) == 1:
            return answers[0]
        return {name: np.concatenate([one[name] for one in answers]) for name in self._outputs}

    def _planned(self, inputs: Arrays, rows: int, shared: bool) -> tuple[str, list[Arrays]]:
        """Returns the way to ask for `inputs`, and the pieces to ask for."""
        if rows == 1:
            return ("many" if shared else "alone"), [dict(inputs)]
        size = 1
        if "rows" in self._compiled:
            size = rows if shared else math.ceil(rows / self._width)
        return ("many" if size == 1 else "rows"), _cut(inputs, rows, size)

    def _taken(self, way: str) -> _Request:
        try:
            return self._idle[way].pop()
        except IndexError:
            return _Request(self._compiled[way], self._outputs)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[bool]:
        """Counts a call, and says whether others are to be expected at the same time."""
        now = time.monotonic()
        with self._lock:
            if self._calls:
                self._together = now
            self._calls += 1
        try:
            # Under load, too, there is a moment between two calls.
            yield now - self._together < _MOMENT
        finally:
            with self._lock:
                self._calls -= 1

    def warm_up(self, inputs: Arrays) -> None:
        """Runs `inputs` in each way; of rows, the first one, if there is one.

        OpenVINO prepares much when it is asked first, and little for each further number of rows.
        """
        if self._by_row:
            inputs = {name: array[:1] for name, array in inputs.items()}
            if not all(map(len, inputs.values())):
                return
        for compiled in self._compiled.values():
            compiled.create_infer_request().infer(dict(inputs))
            time.sleep(self._pause)

    def close(self) -> None:
        """Frees the model; others are likely to have taken its place."""
        while self._compiled:
            way, _ = self._compiled.popitem()
            del self._idle[way]
            # OpenVINO frees it under the interpreter's lock, which requests need in between.
            time.sleep(PAUSE)


class _Request:
    """One of OpenVINO's requests.

    Where all sizes are known, its tensors stay where they are and NumPy's views of them are made
    once. OpenVINO would make them for each call, which takes a tenth of a millisecond.
    """

    def __init__(self, compiled: Any, outputs: Collection[str]) -> None:
        self._request = compiled.create_infer_request()
        self._ports = {name: compiled.output(name) for name in outputs}
        self._into: dict[str, NDArray[np.generic]] = {}
        self._out_of: dict[str, NDArray[np.generic]] = {}
        if all(map(_is_known, (*compiled.inputs, *compiled.outputs))):
            for port in compiled.inputs:
                self._into.update(dict.fromkeys(port.get_names(), self._view(port)))
            self._out_of = {name: self._view(port) for name, port in self._ports.items()}

    def infer(self, inputs: Arrays) -> None:
        self._request.infer(self._left(inputs), share_outputs=True)

    def start_async(self, inputs: Arrays) -> None:
        self._request.start_async(self._left(inputs))

    def wait(self) -> None:
        self._request.wait()

    def outputs(self) -> dict[str, NDArray[np.generic]]:
        """Returns copies of the outputs by name."""
        views = self._out_of or {name: self._view(port) for name, port in self._ports.items()}
        return {name: view.copy() for name, view in views.items()}

    def _left(self, inputs: Arrays) -> Arrays:
        """Puts inputs into their tensors, and returns those that OpenVINO is to put or refuse."""
        views = self._into
        if any(name not in views or views[name].shape != inputs[name].shape for name in inputs):
            return inputs
        for name, array in inputs.items():
            views[name][...] = array
        return {}

    def _view(self, port: Any) -> NDArray[np.generic]:
        view: NDArray[np.generic] = self._request.get_tensor(port).data
        return view


def _is_known(port: Any) -> bool:
    """Says whether NumPy sees a port's tensor, which stays as large as it is."""
    return bool(port.partial_shape.is_static and port.element_type.get_type_name() != "string")


def at_a_time(compiled: Any) -> int:
    """Returns how many requests of a compiled model are best run at the same time."""
    return int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))


def in_turn(requests: Sequence[Any], pieces: Iterable[Any]) -> Iterator[Any]:
    """Runs pieces, as many at a time as there are requests.

    Yields:
        For each piece in order the request that holds its outputs, until the next one is asked for.
    """
    if len(requests) == 1:  # in this thread, without a trip to one of OpenVINO's
        for piece in pieces:
            requests[0].infer(piece)
            yield requests[0]
        return
    free, busy = deque(requests), deque[Any]()
    for piece in pieces:
        if not free:
            busy[0].wait()
            yield busy[0]
            free.append(busy.popleft())
        busy.append(free.popleft())
        busy[-1].start_async(piece)
    for request in busy:
        request.wait()
        yield request


def _cut(inputs: Arrays, rows: int, size: int) -> list[Arrays]:
    return [
        {name: array[start : start + size] for name, array in inputs.items()}
        for start in range(0, rows, size)
    ]
