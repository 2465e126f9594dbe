"""What a service is held to, such as `p95<50ms`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from automl.errors import UsageError
from automl.loadtest.result import LoadTest

_FORM = re.compile(
    r"\s*(?:(?P<percentile>p50|p95|p99)\s*<\s*(?P<time>\d+(?:\.\d+)?)\s*(?P<unit>ms|s)"
    r"|errors\s*<\s*(?P<share>\d+(?:\.\d+)?)\s*%"
    r"|rps\s*>\s*(?P<rate>\d+(?:\.\d+)?))\s*",
    re.ASCII,
)


@dataclass(frozen=True)
class Objective:
    """A bound on one figure of a load test.

    Attributes:
        text: As it was written, without spaces.
        figure: `p50`, `p95` or `p99` (milliseconds), `errors` (per cent) or `rps`.
        bound: What the figure must stay below; for `rps`, above.
    """

    text: str
    figure: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Objective:
        """Reads `p95<50ms`, `p99<1.5s`, `errors<1%` or `rps>100`.

        Raises:
            UsageError: If it is none of these.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise UsageError(
                f"expected an objective such as p95<50ms, p99<1s, errors<1% or rps>100, found "
                f"{text!r}; correct it, in quotes."
            )
        short = re.sub(r"\s", "", text)
        if match["percentile"]:
            scale = 1000 if match["unit"] == "s" else 1
            return cls(short, match["percentile"], float(match["time"]) * scale)
        if match["share"]:
            return cls(short, "errors", float(match["share"]))
        return cls(short, "rps", float(match["rate"]))

    def found(self, test: LoadTest) -> float | None:
        """Returns the figure that `test` measured, `None` where it could not."""
        if self.figure == "rps":
            return test.requests_per_second
        if self.figure == "errors":
            return 100 * sum(test.errors.values()) / test.requests if test.requests else None
        return test.percentile(float(self.figure[1:]))

    def is_met(self, test: LoadTest) -> bool:
        """Says whether `test` keeps to it; what was not measured does not."""
        found = self.found(test)
        if found is None:
            return False
        return found > self.bound if self.figure == "rps" else found < self.bound
