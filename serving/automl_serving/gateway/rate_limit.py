"""How many requests a key may make: a token bucket each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from automl_serving.gateway.errors import TooManyRequestsError


@dataclass
class _Bucket:
    tokens: float
    filled: float


class RateLimit:
    """Lets each key make `burst` requests at once, and `rate` a second in the long run."""

    def __init__(self, rate: float, burst: int) -> None:
        """Takes requests a second and the most at once, both above 0."""
        self._rate = rate
        self._burst = burst
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key: str, now: float) -> None:
        """Counts a request.

        Args:
            key: The key's name; there are as many buckets as names.
            now: The time in seconds, by a clock that never goes back.

        Raises:
            TooManyRequestsError: If it is one too many; it says when the next one is not.
        """
        bucket = self._buckets.setdefault(key, _Bucket(self._burst, now))
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled) * self._rate)
        bucket.filled = now
        if bucket.tokens < 1:
            wait = math.ceil((1 - bucket.tokens) / self._rate)
            raise TooManyRequestsError(
                f"expected at most {self._rate:g} requests a second with this key, found more; "
                f"retry in {wait} seconds.",
                {"Retry-After": str(wait)},
            )
        bucket.tokens -= 1
