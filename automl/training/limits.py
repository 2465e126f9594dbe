"""What a trial must keep to while it runs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

from automl.errors import TrialError


class TrialCancelledError(TrialError):
    """The search was stopped while the trial ran."""

    code = "cancelled"


class TrialDeadlineError(TrialError):
    """The trial cannot end in the time that is left for it."""

    code = "deadline"


@dataclass(frozen=True)
class Limits:
    """What a trial must keep to.

    Attributes:
        deadline: On `time.monotonic`'s clock.
        cancelled: Asked between steps, as the deadline is.
    """

    deadline: float = float("inf")
    cancelled: Callable[[], bool] = lambda: False

    def shared_by(self, tasks: float) -> Limits:
        """Returns the limits of the first of several tasks that take about as long."""
        now = time.monotonic()
        return dataclasses.replace(self, deadline=now + (self.deadline - now) / tasks)

    def check(self) -> None:
        """Raises an error if the trial must end.

        Raises:
            TrialCancelledError: If it has been cancelled.
            TrialDeadlineError: If its time is over.
        """
        if self.cancelled():
            raise TrialCancelledError("expected to end by itself, found that it was stopped.")
        if time.monotonic() > self.deadline:
            raise TrialDeadlineError(
                "expected to end in the time that is left, found it still running; give the "
                "search a larger budget."
            )
