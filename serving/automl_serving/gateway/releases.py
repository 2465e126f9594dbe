"""Which of a model's versions scores a request, and which one scores it again unseen."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from automl.manifest import Manifest
from automl_serving.gateway.drift import Drift
from automl_serving.gateway.errors import UnavailableError, UpstreamError
from automl_serving.gateway.metrics import Metrics
from automl_serving.gateway.score_request import ImageAddress, ScoreItem
from automl_serving.gateway.scoring import Scorer
from automl_serving.gateway.settings import GatewaySettings
from automl_serving.gateway.upstream import Upstream

logger = logging.getLogger(__name__)

_SHADOWS = 4
"""How many requests are scored again at a time; what comes beyond that is not."""


@dataclass(frozen=True)
class Version:
    """A version that is served: its manifest and where it is to be had."""

    manifest: Manifest
    upstream: Upstream


@dataclass(frozen=True)
class _Release:
    version: Version
    scorer: Scorer
    drift: Drift

    @property
    def number(self) -> int:
        return self.version.manifest.version


class Releases:
    """The version that is served, one on trial for a part of the keys, and one in the shadow.

    Each has its own manifest, so that labels and sizes are those of the version that answers.
    """

    def __init__(
        self,
        served: Version,
        canary: Version | None,
        shadow: Version | None,
        scorer: Callable[[Version], Scorer],
        settings: GatewaySettings,
        metrics: Metrics,
    ) -> None:
        """Takes the versions, and `scorer`, which makes a `Scorer` of one."""
        self._make_scorer = scorer
        self._known: dict[int, _Release] = {}
        self._drifts: list[Drift] = []
        self._upstreams: list[Upstream] = []
        metrics.follow(self._drifts)
        metrics.watch(self._upstreams)
        self._served = self._release(served)
        self._canary: _Release | None = None
        self._shadow: _Release | None = None
        self.try_out(canary)
        self.keep_in_shadow(shadow)
        self._settings = settings
        self._metrics = metrics
        self._shadows: set[asyncio.Task[None]] = set()

    def try_out(self, version: Version | None) -> None:
        """Puts a version on trial in the place of the one that was, or none."""
        self._canary = None if version is None else self._release(version)

    def keep_in_shadow(self, version: Version | None) -> None:
        """Puts a version in the shadow in the place of the one that was, or none."""
        self._shadow = None if version is None else self._release(version)

    def _release(self, version: Version) -> _Release:
        number = version.manifest.version
        if number not in self._known:
            release = _Release(version, self._make_scorer(version), Drift(version.manifest))
            self._known[number] = release
            self._drifts.append(release.drift)
            self._upstreams.append(version.upstream)
        return self._known[number]

    async def score(
        self, items: Sequence[ScoreItem], key: str, deadline: float
    ) -> tuple[int, list[dict[str, Any]]]:
        """Scores images with the version that the key has.

        A key keeps its version for as long as the weight stays. Where the canary does not answer as
        it should, the version that is served does.

        Args:
            items: The images.
            key: The key's name; empty where there are none, and each request may have either.
            deadline: When the answer is due, in the event loop's time.

        Returns:
            The version's number, and a result for each image in order.

        Raises:
            GatewayError: If the model server does not answer as it should.
        """
        release, results = self._served, None
        canary = self._canary  # while it answers, its label may move
        if canary and _is_chosen(key, canary.number, self._settings.canary_weight):
            try:
                results = await canary.scorer.score(items, deadline)
                release = canary
            except (UnavailableError, UpstreamError):
                self._metrics.canary_failures.inc()
        if results is None:
            results = await release.scorer.score(items, deadline)
        for result in results:
            if "error" not in result:
                release.drift.add(result["label"], result["probability"])
        if self._shadow and random.random() < self._settings.shadow_weight:
            self._score_again(self._shadow, items, results)
        return release.number, results

    def _score_again(
        self, shadow: _Release, items: Sequence[ScoreItem], results: Sequence[dict[str, Any]]
    ) -> None:
        """Scores images in the background; what is fetched from an address is not fetched twice."""
        pairs = [
            (item, result["label"])
            for item, result in zip(items, results, strict=True)
            if "error" not in result and not isinstance(item.content, ImageAddress)
        ]
        if len(self._shadows) >= _SHADOWS:
            self._metrics.shadow_images.labels("left_out").inc(len(pairs))
        elif pairs:
            task = asyncio.create_task(self._compare(shadow, pairs))
            self._shadows.add(task)
            task.add_done_callback(self._shadows.discard)

    async def _compare(self, shadow: _Release, pairs: Sequence[tuple[ScoreItem, str]]) -> None:
        deadline = asyncio.get_running_loop().time() + self._settings.timeout
        try:
            results = await shadow.scorer.score([item for item, _ in pairs], deadline)
        except Exception as error:
            logger.warning("the shadow could not score: %s", error)
            self._metrics.shadow_images.labels("failed").inc(len(pairs))
            return
        for (_, label), result in zip(pairs, results, strict=True):
            if "error" not in result:
                shadow.drift.add(result["label"], result["probability"])
            outcome = "same" if result.get("label") == label else "different"
            self._metrics.shadow_images.labels(outcome).inc()


def _is_chosen(key: str, version: int, weight: float) -> bool:
    """Says whether a key is in a version's part of all keys, which grows with the weight."""
    if not key:
        return random.random() < weight
    digest = hashlib.sha256(f"{version}:{key}".encode()).digest()
    return int.from_bytes(digest[:8]) < weight * 2**64
