"""Turns a scoring request into results: decode, predict, label."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.manifest import Manifest
from automl_serving.gateway.decoding import Decoder
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


class Scorer:
    """Scores images with one version of a model."""

    def __init__(
        self,
        manifest: Manifest,
        upstream: Upstream,
        decoder: Decoder,
        fetcher: ImageFetcher | None,
        settings: GatewaySettings,
    ) -> None:
        """Takes what it works with; without `fetcher` no address is fetched."""
        self._labels = manifest.labels
        self._size = (manifest.height, manifest.width)
        self._upstream = upstream
        self._predict = Joining(self._call, settings.upstream_calls, settings.upstream_images)
        self._decoder = decoder
        self._fetcher = fetcher

    async def score(self, items: Sequence[ScoreItem], deadline: float) -> list[dict[str, Any]]:
        """Returns a result for each item, in order: scores or an error.

        Args:
            items: The images.
            deadline: When the answer is due, in the event loop's time.

        Raises:
            GatewayError: If the model server does not answer as it should.
        """
        if len(items) == 1:
            return [await self._scored(items[0], deadline, single=True)]
        tasks = [asyncio.create_task(self._scored(item, deadline)) for item in items]
        try:
            return await asyncio.gather(*tasks)
        except GatewayError:
            for task in tasks:  # nobody waits for the others
                task.cancel()
            raise

    async def _scored(
        self, item: ScoreItem, deadline: float, single: bool = False
    ) -> dict[str, Any]:
        pixels = await self._pixels(item.content, single)
        if isinstance(pixels, ImageProblem):
            return {"error": {"code": pixels.code, "message": pixels.message}}
        return self._result(*await self._predict(pixels, deadline), item.parameters)

    async def _call(self, images: Sequence[NDArray[np.uint8]], deadline: float) -> Scores:
        return await self._upstream.predict(images, len(self._labels), deadline)

    async def _pixels(
        self, content: bytes | ImageAddress | ImageProblem, single: bool
    ) -> NDArray[np.uint8] | ImageProblem:
        if isinstance(content, ImageProblem):
            return content
        if isinstance(content, bytes):
            return await self._decoder.decode(content, self._size, single and self._predict.idle)
        if self._fetcher is None:
            return ImageProblem(
                "url_not_fetched",
                "expected the image itself, found an address, which this service does not fetch; "
                "send the image as 'b64'.",
            )
        async with self._fetcher.room:
            return await self._pixels(await self._fetcher.fetch(content), single)

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
