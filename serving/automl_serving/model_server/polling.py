"""Follows the configuration file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from automl_serving.model_server.config import ModelConfig, read_config
from automl_serving.model_server.errors import ServingError
from automl_serving.model_server.manager import ModelManager

logger = logging.getLogger(__name__)


def follow_file(
    manager: ModelManager, path: Path, current: Sequence[ModelConfig]
) -> Callable[[], Awaitable[None]]:
    """Returns what applies the configuration in `path` to `manager` whenever it has changed.

    One that is refused is tried again: its labels may name a version that is still to come.
    """
    known, refusal = list(current), ""

    async def look() -> None:
        nonlocal known, refusal
        try:
            found = await asyncio.to_thread(read_config, path)
            if found != known:
                await manager.apply(found)
                known = found
            refusal = ""
        except ServingError as error:
            if str(error) != refusal:
                refusal = str(error)
                logger.error("the model configuration was not followed: %s", error)

    return look
