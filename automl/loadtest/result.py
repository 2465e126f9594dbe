"""What a load test measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

BUSY = 0.8
"""The share of its cores, one a process, from which on the generator is what limits."""


class Answer(NamedTuple):
    """How one request ended.

    Attributes:
        at: When, in seconds since the first request was sent.
        ms: How long it took, in milliseconds.
        error: What was wrong, in a word or two; empty where it was scored.
    """

    at: float
    ms: float
    error: str


@dataclass(frozen=True)
class LoadTest:
    """A finished load test.

    Percentiles and the rate are those of the requests that were scored.

    Attributes:
        concurrency: How many requests were under way at any time.
        seconds: From the first request to the last answer.
        cpu_seconds: What the load generator's processes used of their cores together.
        answers: Every request's end, in order; nearly so where several processes sent.
        processes: How many sent.
    """

    concurrency: int
    seconds: float
    cpu_seconds: float
    answers: Sequence[Answer] = field(repr=False)
    processes: int = 1

    @property
    def requests(self) -> int:
        """How many requests were made."""
        return len(self.answers)

    @property
    def errors(self) -> dict[str, int]:
        """How many requests were not scored, by kind, the most frequent first."""
        return dict(Counter(answer.error for answer in self.answers if answer.error).most_common())

    @property
    def requests_per_second(self) -> float:
        """How many requests a second were scored."""
        scored = self.requests - sum(self.errors.values())
        return scored / self.seconds if self.seconds else 0.0

    def percentile(self, percent: float) -> float | None:
        """Returns the milliseconds within which `percent` of the scored requests ended."""
        scored = [answer.ms for answer in self.answers if not answer.error]
        return percentile(scored, percent) if scored else None

    @property
    def generator_share(self) -> float:
        """The share of a core that each of the load generator's processes used, 0..1."""
        return self.cpu_seconds / self.seconds / self.processes if self.seconds else 0.0

    @property
    def generator_limit(self) -> float:
        """The requests per second that it could make, had each process a core to itself."""
        return self.requests / self.cpu_seconds * self.processes if self.cpu_seconds else 0.0

    @property
    def generator_limits(self) -> bool:
        """Whether the load generator, not the service, is what was measured."""
        return self.generator_share >= BUSY

    def summary(self) -> dict[str, Any]:
        """Returns the figures as JSON values; percentiles are `None` where nothing was scored."""
        return {
            "concurrency": self.concurrency,
            "seconds": round(self.seconds, 3),
            "requests": self.requests,
            "requests_per_second": round(self.requests_per_second, 2),
            **{f"p{p}_ms": self.percentile(p) for p in (50, 95, 99)},
            "errors": self.errors,
            "generator": {
                "processes": self.processes,
                "core_share": round(self.generator_share, 3),
                "requests_per_second_limit": round(self.generator_limit, 1),
                "is_the_limit": self.generator_limits,
            },
        }


def percentile(values: Sequence[float], percent: float) -> float:
    """Returns the smallest of some `values` that at least `percent` of them do not exceed."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]
