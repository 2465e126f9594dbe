"""What a search spends on anything but its work, and whether it keeps to its budget.

    python benchmarks/overhead.py IMAGES --budget 10m

The work is what the run's event log tells: decoding, trials with their features, and the winner's
last fit, export and evaluation. What is left of the command's wall time, start-up and report
included, is overhead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.cli.options import print_table
from automl.tuning.events import read_events
from automl.tuning.settings import parse_duration

MOST_OVERHEAD = 0.05
MOST_OVERSHOOT, LEAST_OVERSHOOT = 0.03, 5.0
"""Past the budget by at most this share of it, or these seconds if they are more."""


def main() -> None:
    """Searches once and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", metavar="IMAGES", help="a folder of class folders")
    parser.add_argument("--budget", default="10m", help="for the command (default: 10m)")
    arguments = parser.parse_args()
    command = [str(Path(sys.executable).with_name("automl")), "search", arguments.images]
    with tempfile.TemporaryDirectory() as place:
        command += ["--budget", arguments.budget, "--json", "--workspace", place]
        begun = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        wall = time.perf_counter() - begun
        result = json.loads(done.stdout)
        events = list(read_events(Path(result["report"]).parent))
    work = work_seconds(events)
    share = 1 - sum(work.values()) / wall
    budget = parse_duration(arguments.budget)
    most = budget + max(MOST_OVERSHOOT * budget, LEAST_OVERSHOOT)
    rows = [(name, f"{seconds:.1f} s", "") for name, seconds in work.items()]
    rows.append(("the command", f"{wall:.1f} s", f"at most {most:.1f} s"))
    rows.append(("overhead", f"{share:.1%}", f"at most {MOST_OVERHEAD:.0%}"))
    rows.append(("class-averaged", f"{result['balanced_accuracy']:.2%}", ""))
    print_table(("", "FOUND", "WANTED"), rows)


def work_seconds(events: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Returns the seconds of each kind of work; decoding within a trial counts as the trial's."""
    at = {event["event"]: event["at"] for event in events}
    first = next(event["at"] for event in events if event["event"] == "trial_started")
    return {
        "decoding": sum(
            event["seconds"]
            for event in events
            if event["event"] == "decoded" and event["at"] < first
        ),
        "trials": sum(event["seconds"] for event in events if event["event"] == "trial_finished"),
        "last fit, export, evaluation": at["registered"] - at["finalizing"],
    }


if __name__ == "__main__":
    main()
