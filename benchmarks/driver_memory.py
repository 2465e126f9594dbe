"""How much of a search's private memory grows with its trials, in the driver?

    python benchmarks/driver_memory.py [TRIALS]

Searches scikit-learn's handwritten digits with quick trials drawn at random, and prints the
driver's private memory (USS) after 10 trials, after the last, and their ratio.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from automl.quickstart import write_digits

EARLY = 10
PINS = {"backbone": "pixels", "resolution": 8, "head": "linear", "epochs": 1}


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as place:
        images, workspace = Path(place) / "digits", Path(place) / "workspace"
        write_digits(images)
        measured = follow(search(images, workspace, trials), workspace)
    early = next(uss for done, uss in sorted(measured.items()) if done >= EARLY)
    last = measured[max(measured)]
    print(f"after {EARLY} trials {early / 1e6:.0f} MB, after {max(measured)} {last / 1e6:.0f} MB")
    print(f"ratio {last / early:.3f} (wanted: at most 1.05)")


def search(images: Path, workspace: Path, trials: int) -> psutil.Popen:
    pins = [part for name, value in PINS.items() for part in ("--set", f"{name}={value}")]
    return psutil.Popen(
        [
            *(sys.executable, "-m", "automl", "search", str(images), "--strategy", "random"),
            *("--trials", str(trials), *pins, "--workspace", str(workspace), "--json"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def follow(driver: psutil.Popen, workspace: Path) -> dict[int, int]:
    """Returns the driver's private memory in bytes, by the number of trials that had ended."""
    measured: dict[int, int] = {}
    while driver.poll() is None:
        done = finished(workspace)
        if done not in measured:
            try:
                measured[done] = driver.memory_full_info().uss
            except psutil.NoSuchProcess:
                break
        time.sleep(0.02)
    return measured


def finished(workspace: Path) -> int:
    logs = workspace.glob("experiments/*/*/events.jsonl")
    return sum(log.read_text(encoding="utf-8").count('"trial_finished"') for log in logs)


if __name__ == "__main__":
    main()
