"""Images that wait go together, and come apart again; in this process, without a model server."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_serving.gateway.errors import UnavailableError
from automl_serving.gateway.joining import Joining


class Calls:
    """Answers with each image's own number, once it may; remembers what was asked for."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.deadlines: list[float] = []
        self.under_way = self.most_under_way = 0
        self.may_answer = asyncio.Event()

    async def __call__(self, images: Any, deadline: float) -> tuple[Any, Any]:
        self.sizes.append(len(images))
        self.deadlines.append(deadline)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await self.may_answer.wait()
        self.under_way -= 1
        numbers = np.stack(images)[:, 0, 0, :1].astype(np.float32)
        if 255 in numbers:
            raise UnavailableError("expected another image, found 255; send one.")
        return numbers, -numbers


def picture(number: int, side: int = 1) -> Any:
    """Returns a picture of one colour."""
    return np.full((side, side, 3), number, np.uint8)


async def requests_for(joining: Joining, *numbers: int) -> list[asyncio.Task[Any]]:
    """Asks for pictures, each by a deadline of its number."""
    asked = [asyncio.create_task(joining(picture(one), float(one))) for one in numbers]
    await asyncio.sleep(0.01)
    return asked


@settings(deadline=None)
@given(
    numbers=st.lists(st.integers(0, 254), max_size=100),
    most=st.integers(1, 3),
    images=st.integers(1, 16),
    pauses=st.data(),
)
def test_no_image_is_lost_mixed_up_or_reordered(
    numbers: list[int], most: int, images: int, pauses: st.DataObject
) -> None:
    async def run() -> None:
        calls = Calls()
        joining = Joining(calls, most, images)
        asked = []
        for number in numbers:
            asked.append(asyncio.create_task(joining(picture(number), 1.0)))
            if pauses.draw(st.sampled_from([False, False, True])):
                await asyncio.sleep(0)
        calls.may_answer.set()
        for number, (probabilities, logits) in zip(
            numbers, await asyncio.gather(*asked), strict=True
        ):
            assert probabilities.tolist() == [number]
            assert logits.tolist() == [-number]
        assert sum(calls.sizes) == len(numbers)
        assert calls.most_under_way <= most
        assert max(calls.sizes, default=0) <= images

    asyncio.run(run())


def test_what_waits_goes_together_with_the_next_call_and_the_latest_deadline() -> None:
    async def run() -> Calls:
        calls = Calls()
        asked = await requests_for(Joining(calls, 1, 16), *range(5))
        calls.may_answer.set()
        await asyncio.gather(*asked)
        return calls

    calls = asyncio.run(run())
    assert calls.sizes == [1, 4]
    assert calls.deadlines == [0.0, 4.0]


def test_nothing_waits_while_fewer_calls_are_under_way() -> None:
    async def run() -> list[int]:
        calls = Calls()
        asked = await requests_for(Joining(calls, 3, 16), *range(3))
        sizes = list(calls.sizes)
        calls.may_answer.set()
        await asyncio.gather(*asked)
        return sizes

    assert asyncio.run(run()) == [1, 1, 1]


def test_it_is_idle_while_no_image_is_on_its_way() -> None:
    async def run() -> None:
        calls = Calls()
        joining = Joining(calls, 1, 16)
        assert joining.idle
        asked = await requests_for(joining, *range(3))
        assert not joining.idle
        calls.may_answer.set()
        await asyncio.gather(*asked)
        await asyncio.sleep(0)
        assert joining.idle

    asyncio.run(run())


def test_large_images_go_in_several_calls() -> None:
    async def run() -> list[int]:
        calls = Calls()
        joining = Joining(calls, 1, 16)
        numbers = range(1, 6)
        asked = [asyncio.create_task(joining(picture(one, 1600), 1.0)) for one in numbers]  # 7 MiB
        await asyncio.sleep(0.01)
        calls.may_answer.set()
        assert [one[0].tolist() for one in await asyncio.gather(*asked)] == [[n] for n in numbers]
        return calls.sizes

    assert asyncio.run(run()) == [1, 2, 2]


def test_whoever_has_gone_is_not_sent() -> None:
    async def run() -> list[int]:
        calls = Calls()
        asked = await requests_for(Joining(calls, 1, 16), *range(4))
        for one in asked[:3]:
            one.cancel()
        await asyncio.sleep(0.01)
        calls.may_answer.set()
        probabilities, _ = await asked[3]
        assert probabilities.tolist() == [3]
        return calls.sizes

    assert asyncio.run(run()) == [1, 1]


def test_a_call_that_fails_fails_for_its_own_images_alone() -> None:
    async def run() -> None:
        calls = Calls()
        asked = await requests_for(Joining(calls, 1, 16), 255, 1, 2)
        calls.may_answer.set()
        with pytest.raises(UnavailableError):
            await asked[0]
        for number, one in zip((1, 2), asked[1:], strict=True):
            assert (await one)[0].tolist() == [number]

    asyncio.run(run())
