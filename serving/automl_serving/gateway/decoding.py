"""Decodes images, most of them in threads: so many pixels at a time and no more."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from automl import images, jpeg
from automl.errors import ImageError
from automl_serving.gateway.score_request import ImageProblem
from automl_serving.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    _Decoded = asyncio.Future[NDArray[np.uint8] | ImageProblem]

logger = logging.getLogger(__name__)

_SMALL = 1_000_000
"""Pixels of pictures that wait for none: all threads together take little for these."""

_AT_A_TIME = 50_000_000
"""Pixels of larger ones. Each takes up to 20 bytes for a while."""

_QUICK_HEAD, _QUICK_BYTES, _QUICK_PIXELS = 4 << 10, 256 << 10, 500_000
"""The most bytes before the pixels, bytes in all, and pixels of a JPEG of one scan that takes a few
milliseconds; a thread would add half a one."""


class PixelRoom:
    """Room in memory for a number of pixels, for which threads wait.

    A picture of few bytes can be one of many pixels, and a machine can have many threads: what all
    of them may take together has to be limited, too.
    """

    def __init__(self, most: int) -> None:
        """Takes the number of pixels, which no picture may exceed."""
        self._left = most
        self._next = threading.Lock()  # is had by the one that waits first: none overtakes it
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def __call__(self, pixels: int) -> Iterator[None]:
        """Waits for room, and has it until left."""
        if pixels <= _SMALL:
            yield
            return
        with self._next, self._changed:
            self._changed.wait_for(lambda: self._left >= pixels)
            self._left -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._left += pixels
                self._changed.notify()


class Decoder:
    """Decodes images that clients have sent."""

    def __init__(self, pool: Executor, settings: GatewaySettings) -> None:
        """Takes what runs the decoding, and the limits."""
        self._pool = pool
        self._max_bytes, self._max_pixels = settings.max_image_bytes, settings.max_pixels
        self._room = PixelRoom(max(_AT_A_TIME, settings.max_pixels))

    async def decode(
        self, content: bytes, size: tuple[int, int], alone: bool
    ) -> NDArray[np.uint8] | ImageProblem:
        """Returns an image's pixels, or why there are none.

        Args:
            content: The encoded bytes.
            size: Height and width to resize to.
            alone: Whether no other image of its request is to be decoded, and none is with the
                model server. Then a quick one goes to no thread: there is little else to do.

        Returns:
            uint8 `[height, width, 3]`, or a problem.
        """
        if len(content) > self._max_bytes:
            return ImageProblem(
                "image_too_large",
                f"expected an image of at most {self._max_bytes:,} bytes, found "
                f"{len(content):,}; make it smaller.",
            )
        if alone and _is_quick(content):
            return self._decode(content, size)
        # As `run_in_executor` does, for half its work: a decoder never raises.
        decoded: _Decoded = asyncio.get_running_loop().create_future()
        self._pool.submit(self._decode_for, decoded, content, size)
        return await decoded

    def _decode_for(self, decoded: _Decoded, content: bytes, size: tuple[int, int]) -> None:
        if not decoded.done():  # else whoever asked has gone
            decoded.get_loop().call_soon_threadsafe(_tell, decoded, self._decode(content, size))

    def _decode(self, content: bytes, size: tuple[int, int]) -> NDArray[np.uint8] | ImageProblem:
        try:
            return images.decode(content, size, self._max_pixels, self._room)
        except ImageError as error:
            return ImageProblem(error.code, str(error))
        except Exception:
            # A decoder's own fault on strange bytes; the other images are not to suffer.
            logger.exception("an image could not be decoded")
            return ImageProblem(
                ImageError.code,
                "expected a whole image, found one that cannot be decoded; replace it.",
            )


def _tell(decoded: _Decoded, result: NDArray[np.uint8] | ImageProblem) -> None:
    if not decoded.done():
        decoded.set_result(result)


def _is_quick(content: bytes) -> bool:
    coded = jpeg.read(content[:_QUICK_HEAD])
    return (
        coded.by_rows
        and not coded.arithmetic
        and coded.pixels <= _QUICK_PIXELS
        and len(content) <= _QUICK_BYTES
    )
