"""The gateway's side of TF Serving's protocol, against the real model server."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pytest

from automl_serving.gateway.errors import UnavailableError, UpstreamError
from automl_serving.gateway.upstream import Upstream


def call(model_server: Any, method: str, *arguments: Any, model: str = "colours") -> Any:
    async def run() -> Any:
        one = Upstream(f"127.0.0.1:{model_server.ready['port']}", model, 1)
        try:
            return await getattr(one, method)(*arguments)
        finally:
            await one.close()

    return asyncio.run(run())


def test_images_come_back_in_order(model_server: Any) -> None:
    images = np.zeros((7, 16, 24, 3), np.uint8)
    images[..., 0] = 32 * np.arange(7)[:, None, None]
    probabilities, logits = call(model_server, "predict", images, 3, soon())
    np.testing.assert_allclose(logits[:, 0], np.arange(7))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_another_number_of_labels_is_an_error(model_server: Any) -> None:
    images = np.zeros((1, 16, 24, 3), np.uint8)
    with pytest.raises(UpstreamError, match="4 labels"):
        call(model_server, "predict", images, 4, soon())


def test_another_size_of_image_is_an_error_without_the_servers_words(model_server: Any) -> None:
    with pytest.raises(UpstreamError) as caught:
        call(model_server, "predict", np.zeros((1, 8, 8, 3), np.uint8), 3, soon())
    assert "uint8" not in str(caught.value)


def test_another_model_is_unavailable(model_server: Any) -> None:
    with pytest.raises(UnavailableError):
        call(model_server, "check", 5.0, model="nothing")
    assert call(model_server, "check", 5.0) is None


def soon() -> float:
    """A deadline in ten seconds."""
    return time.monotonic() + 10
