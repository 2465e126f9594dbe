"""Shows a running search: what goes on now, with a bar, and one line a finished trial.

All of it goes to standard error, so that standard output holds results only.
"""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
)
from rich.text import Text

from automl.cli.wording import configuration, percent, seconds_text
from automl.evaluation.text import trial_number
from automl.tuning.events import RunState


class TerminalProgress:
    """A live bar on a terminal; plain lines elsewhere."""

    def __init__(self, budget: float | None, began: float) -> None:
        self._budget, self._began = budget, began
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            _Left(budget, began),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._best: float | None = None
        self._bar.start()

    def update(self, event: dict[str, Any], state: RunState) -> None:
        """Takes an event."""
        handler = getattr(self, f"_on_{event['event']}", None)
        if handler is not None:
            handler(event, state)
        if self._budget is not None:
            done = min(time.time() - self._began, self._budget)
            self._bar.update(self._task, completed=done, total=self._budget)

    def close(self) -> None:
        """Ends the display."""
        self._bar.stop()

    def _on_decoding(self, event: dict[str, Any], state: RunState) -> None:
        self._say(f"reading images {event['done']:,}/{event['total']:,}")

    def _on_images(self, event: dict[str, Any], state: RunState) -> None:
        self._say(f"features {event['done']:,}/{event['total']:,}")

    def _on_prepared(self, event: dict[str, Any], state: RunState) -> None:
        train, test = (sum(event["counts"][part].values()) for part in ("train", "test"))
        self._print(
            f"{train:,} images to learn from, {test:,} held out, {len(event['labels'])} classes"
        )
        unreadable = event["unreadable"]
        for item in unreadable[:3]:
            self._print(f"set aside: {item['reason']}", "yellow")
        if len(unreadable) > 3:
            self._print(f"… and {len(unreadable) - 3} more, listed in the report", "yellow")

    def _on_note(self, event: dict[str, Any], state: RunState) -> None:
        self._print(event["text"], "yellow")

    def _on_trial_started(self, event: dict[str, Any], state: RunState) -> None:
        self._say(configuration(event["hyperparameters"]))

    def _on_epoch(self, event: dict[str, Any], state: RunState) -> None:
        row = state.trials[event["trial"]]
        epochs = row["hyperparameters"].get("epochs", "?")
        accuracy = event["logs"].get("val_accuracy")
        shown = f", accuracy {percent(accuracy)}" if accuracy is not None else ""
        what = configuration(row["hyperparameters"])
        self._say(f"{what}: epoch {event['epoch'] + 1}/{epochs}{shown}")

    def _on_trial_finished(self, event: dict[str, Any], state: RunState) -> None:
        row = state.trials[event["trial"]]
        what, score = configuration(row["hyperparameters"]), row["score"]
        number, taken = trial_number(row), seconds_text(row["seconds"])
        if score is None:
            self._print(f"{number:>3}    —    {what}  {taken}  {row['error']}", "red")
            return
        leads = self._best is None or score > self._best
        self._best = score if leads else self._best
        spread = f" ± {100 * row['spread']:.1f}" if row["spread"] is not None else ""
        line = f"{number:>3}  {percent(score)}{spread}  {what}  {taken}"
        self._print(line + ("  best so far" if leads else ""), "bold" if leads else None)

    def _on_finalizing(self, event: dict[str, Any], state: RunState) -> None:
        self._say("fitting, exporting and proving the best model")

    def _say(self, text: str) -> None:
        self._bar.update(self._task, description=text)

    def _print(self, text: str, style: str | None = None) -> None:
        self._console.print(Text(text, style=style or ""), soft_wrap=True)


class _Left(ProgressColumn):
    """The time until the budget ends."""

    def __init__(self, budget: float | None, began: float) -> None:
        super().__init__()
        self._budget, self._began = budget, began

    def render(self, task: Task) -> Text:
        elapsed = time.time() - self._began
        if self._budget is None:
            return Text(f"{seconds_text(elapsed)} so far")
        return Text(f"at most {seconds_text(max(0.0, self._budget - elapsed))} left")
