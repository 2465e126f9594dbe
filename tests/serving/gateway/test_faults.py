"""A fault in the gateway itself: logged for the operator, silent about it to the client."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from automl import images
from automl.manifest import Manifest
from automl_serving.gateway.app import Gateway
from automl_serving.gateway.releases import Version
from automl_serving.gateway.settings import GatewaySettings

PIXEL = images.encode_png(images.np.zeros((1, 1, 3), "uint8"))


class Broken:
    """An upstream with a fault that nobody foresaw."""

    async def predict(self, *arguments: Any) -> Any:
        raise ZeroDivisionError("a secret of the inside")


def post(path: str, **content: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        settings = GatewaySettings(model="m", manifest=Path("m"))
        manifest = Manifest("m", 1, ("a", "b"), 8, 8, "squash", 1.0)
        gateway = Gateway(settings, Version(manifest, Broken()), None)  # type: ignore[arg-type]
        transport = httpx.ASGITransport(gateway.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post(path, **content)

    return asyncio.run(run())


def test_a_fault_is_told_to_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "automl_serving"):
        answer = post("/v1/score", files={"a": ("a.png", PIXEL)})
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret" not in answer.text
    assert "ZeroDivision" not in answer.text
    assert "a secret of the inside" in caplog.text
    (line,) = [one for one in caplog.records if one.name.endswith("access")]
    assert line.status == 500  # type: ignore[attr-defined]


def test_a_decoders_fault_is_one_images_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: Any) -> Any:
        raise KeyError("a secret of the inside")

    monkeypatch.setattr(images, "decode", fail)
    answer = post("/v1/score", files={"a": ("a.png", PIXEL)})
    assert answer.status_code == 200
    assert answer.json()["results"][0]["error"]["code"] == "bad_image"
    assert "secret" not in answer.text
    assert "a secret of the inside" in caplog.text


def test_without_keys_nobody_is_asked_for_one() -> None:
    assert post("/v1/score", json={"images": [{"b64": "AAAA"}]}).status_code == 200
