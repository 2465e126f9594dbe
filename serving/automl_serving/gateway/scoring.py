"""Turns a scoring request into results: decode, predict, label."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import numpy as np

from automl import images
from automl.errors import ImageError
from automl.manifest import Manifest
from automl_serving.gateway.errors import GatewayError
from automl_serving.gateway.fetching import ImageFetcher
from automl_serving.gateway.joining import Joining
from automl_serving.gateway.score_request import (
    ImageAddress,
    ImageProblem,
    Parameters,
    ScoreItem,
)
from automl_serving.gateway.settings import GatewaySettings
from automl_serving.gateway.upstream import Upstream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from automl_serving.gateway.joining import Scores

    _Decoded = asyncio.Future[NDArray[np.uint8] | ImageProblem]

logger = logging.getLogger(__name__)


class Scorer:
    """Scores images with one version of a model."""

    def __init__(
        self,
        manifest: Manifest,
        upstream: Upstream,
        pool: Executor,
        fetcher: ImageFetcher | None,
        settings: GatewaySettings,
    ) -> None:
        """Takes what it works with; `pool` runs the decoding, and none fetches addresses."""
        self._labels = manifest.labels
        self._size = (manifest.height, manifest.width)
        self._upstream = upstream
        self._predict = Joining(self._call, settings.upstream_calls, settings.upstream_images)
        self._pool = pool
        self._fetcher = fetcher
        self._max_pixels = settings.max_pixels
        self._max_bytes = settings.max_image_bytes

    async def score(self, items: Sequence[ScoreItem], deadline: float) -> list[dict[str, Any]]:
        """Returns a result for each item, in order: scores or an error.

        Args:
            items: The images.
            deadline: When the answer is due, in the event loop's time.

        Raises:
            GatewayError: If the model server does not answer as it should.
        """
        if len(items) == 1:
            return [await self._scored(items[0], deadline)]
        tasks = [asyncio.create_task(self._scored(item, deadline)) for item in items]
        try:
            return await asyncio.gather(*tasks)
        except GatewayError:
            for task in tasks:  # nobody waits for the others
                task.cancel()
            raise

    async def _scored(self, item: ScoreItem, deadline: float) -> dict[str, Any]:
        pixels = await self._pixels(item.content)
        if isinstance(pixels, ImageProblem):
            return {"error": {"code": pixels.code, "message": pixels.message}}
        return self._result(*await self._predict(pixels, deadline), item.parameters)

    async def _call(self, images: Sequence[NDArray[np.uint8]], deadline: float) -> Scores:
        return await self._upstream.predict(images, len(self._labels), deadline)

    async def _pixels(
        self, content: bytes | ImageAddress | ImageProblem
    ) -> NDArray[np.uint8] | ImageProblem:
        if isinstance(content, ImageAddress):
            if self._fetcher is None:
                return ImageProblem(
                    "url_not_fetched",
                    "expected the image itself, found an address, which this service does not "
                    "fetch; send the image as 'b64'.",
                )
            async with self._fetcher.room:
                return await self._decoded(await self._fetcher.fetch(content))
        return await self._decoded(content)

    async def _decoded(self, content: bytes | ImageProblem) -> NDArray[np.uint8] | ImageProblem:
        if isinstance(content, ImageProblem):
            return content
        if len(content) > self._max_bytes:
            return ImageProblem(
                "image_too_large",
                f"expected an image of at most {self._max_bytes:,} bytes, found "
                f"{len(content):,}; make it smaller.",
            )
        # As `run_in_executor` does, for half its work: a decoder never raises.
        decoded: _Decoded = asyncio.get_running_loop().create_future()
        self._pool.submit(self._decode_for, decoded, content)
        return await decoded

    def _decode_for(self, decoded: _Decoded, content: bytes) -> None:
        if not decoded.done():  # else whoever asked has gone
            decoded.get_loop().call_soon_threadsafe(_tell, decoded, self._decode(content))

    def _decode(self, content: bytes) -> NDArray[np.uint8] | ImageProblem:
        try:
            return images.decode(content, self._size, self._max_pixels)
        except ImageError as error:
            return ImageProblem(error.code, str(error))
        except Exception:
            # A decoder's own fault on strange bytes; the other images are not to suffer.
            logger.exception("an image could not be decoded")
            return ImageProblem(
                ImageError.code,
                "expected a whole image, found one that cannot be decoded; replace it.",
            )

    def _result(
        self,
        probabilities: NDArray[np.float32],
        logits: NDArray[np.float32],
        parameters: Parameters,
    ) -> dict[str, Any]:
        best = np.argsort(-probabilities, kind="stable")[: parameters.top_k]
        scores = probabilities if parameters.add_softmax else logits
        return {
            "label": self._labels[best[0]],
            "probability": float(probabilities[best[0]]),
            "scores": {self._labels[index]: float(scores[index]) for index in best},
        }


def _tell(decoded: _Decoded, result: NDArray[np.uint8] | ImageProblem) -> None:
    if not decoded.done():
        decoded.set_result(result)
