"""The token bucket of each key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_serving.gateway.errors import TooManyRequestsError
from automl_serving.gateway.rate_limit import RateLimit


@given(
    st.floats(0.1, 50),
    st.integers(1, 20),
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_never_more_than_the_burst_and_the_rate_allow(
    rate: float, burst: int, pauses: list[float]
) -> None:
    limit, now = RateLimit(rate, burst), 100.0
    for admitted, pause in enumerate(pauses, start=1):
        now += pause
        try:
            limit.take("key", now)
        except TooManyRequestsError as error:
            wait = int(error.headers["Retry-After"])
            assert 1 <= wait <= 1 / rate + 1
            limit.take("key", now + wait)
            now += wait
        assert admitted <= burst + rate * (now - 100) + 1e-6


def test_keys_do_not_take_from_each_other() -> None:
    limit = RateLimit(1, 2)
    for key in ("ann", "bob"):
        limit.take(key, 0)
        limit.take(key, 0)
        with pytest.raises(TooManyRequestsError):
            limit.take(key, 0.5)
        limit.take(key, 1.0)
