"""Where images are decoded: a quick one where it is asked for, others in threads."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from automl_serving.gateway.decoding import Decoder
from automl_serving.gateway.score_request import ImageProblem
from automl_serving.gateway.settings import GatewaySettings

SIZE = (24, 32)

Content = Callable[[], bytes]


def photo(format_: str = "JPEG", side: int = 300, **options: Any) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).resize((side, side)).save(content, format_, **options)
    return content.getvalue()


def decode(content: bytes, alone: bool, **limits: int) -> tuple[Any, bool]:
    """Returns what becomes of an image, and whether it came while no thread was free."""
    settings = GatewaySettings("colours", Path("unused"), **limits)  # type: ignore[arg-type]
    may_decode = threading.Event()

    async def run() -> tuple[Any, bool]:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(may_decode.wait)
            decoding = asyncio.create_task(Decoder(pool, settings).decode(content, SIZE, alone))
            done, _ = await asyncio.wait([decoding], timeout=0.3)
            may_decode.set()
            return await decoding, bool(done)

    return asyncio.run(run())


def test_a_quick_image_that_is_alone_waits_for_no_thread() -> None:
    here, at_once = decode(photo(), alone=True)
    in_a_thread, before = decode(photo(), alone=False)
    assert (at_once, before) == (True, False)
    assert here.shape == (*SIZE, 3)
    np.testing.assert_array_equal(here, in_a_thread)


@pytest.mark.parametrize(
    "content",
    [
        lambda: photo(side=1000),
        lambda: photo(progressive=True),
        lambda: photo("PNG"),
        lambda: photo().ljust(300_000, b"\0"),
        lambda: photo(comment=b"a" * 5000),
    ],
    ids=["pixels", "scans", "format", "bytes", "head"],
)
def test_what_could_take_long_goes_to_a_thread(content: Content) -> None:
    found, at_once = decode(content(), alone=True)
    assert not at_once
    assert found.shape == (*SIZE, 3)


@pytest.mark.parametrize(
    ("content", "limits", "code"),
    [
        (lambda: photo()[:-500], {}, "bad_image"),
        (photo, {"max_pixels": 1000}, "bad_image"),
        (lambda: photo().replace(b"\xff\xc0", b"\xff\xc9", 1), {}, "bad_image"),
        (photo, {"max_image_bytes": 1000}, "image_too_large"),
    ],
    ids=["cut off", "pixels", "coding", "bytes"],
)
def test_the_same_is_told_of_a_bad_one_that_is_alone(
    content: Content, limits: dict[str, int], code: str
) -> None:
    problem, _ = decode(content(), True, **limits)
    assert isinstance(problem, ImageProblem)
    assert problem.code == code
    assert problem == decode(content(), False, **limits)[0]


@pytest.mark.parametrize("alone", [True, False])
def test_a_fault_of_a_decoder_is_that_images_problem(
    monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    def reader(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("PIL.Image.OPEN", {"JPEG": (reader, None)})
    problem, _ = decode(photo(), alone)
    assert isinstance(problem, ImageProblem)
    assert problem.code == "bad_image"
