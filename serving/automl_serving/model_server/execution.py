"""Runs predict requests in threads, each for itself or, with `batching`, together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from automl_serving.model_server.servable import Servable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]

T = TypeVar("T")

RunInThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function in the pool of inference threads."""


class Predict(Protocol):
    """Answers a predict request."""

    async def __call__(
        self,
        servable: Servable,
        name: str,
        decode: Callable[[], Arrays],
        encode: Callable[[Arrays], T],
        outputs: Collection[str] = (),
        small: bool = False,
    ) -> T:
        """Runs a signature.

        Args:
            servable: The version that answers.
            name: The signature; empty is the default one.
            decode: Makes the inputs of the request; slow for large ones.
            encode: Makes the answer of the outputs, which come in the order of their names.
            outputs: The outputs wanted; empty means all.
            small: Whether `decode` and `encode` take less time than a trip to a thread.

        Raises:
            ServingError: If the inputs are not the signature's, or there is no room for them.
            DataError: If the model refuses what is in the inputs.
        """
        ...


def run_in(pool: Executor) -> RunInThread:
    """Returns what runs functions in the threads of `pool`."""

    async def run(function: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, function)

    return run


def each_alone(run: RunInThread) -> Predict:
    """Returns what runs each request for itself: one trip to a thread, and no waiting."""

    async def predict(
        servable: Servable,
        name: str,
        decode: Callable[[], Arrays],
        encode: Callable[[Arrays], T],
        outputs: Collection[str] = (),
        small: bool = False,
    ) -> T:
        def work() -> T:
            inputs = decode()
            servable.check(name, inputs, outputs)
            return encode(chosen(servable.run(name, inputs), outputs))

        answer: T = await run(work)
        return answer

    return predict


def chosen(found: Arrays, outputs: Collection[str]) -> Arrays:
    """Returns the outputs that were asked for."""
    return {name: found[name] for name in outputs or sorted(found)}
