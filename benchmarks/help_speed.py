"""How fast `automl --help` and `import automl` are, against a bare click group's `--help`.

    python benchmarks/help_speed.py --runs 25

Runs are paired: one of each in turn, so that whatever else the machine does meets all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from automl.cli.options import print_table

MOST = 2.0
"""`automl --help` may take this many times what the bare group takes."""

BARE_GROUP = "import click\ngroup = click.Group('bare', help='A bare group.')\ngroup()\n"

HEAVY = ("numpy", "keras", "tensorflow", "sklearn", "automl_plugins")

LOADED = """
import json, sys
try:
    {statement}
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def main() -> None:
    """Measures and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=25, help="runs of each (default: 25)")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE_GROUP, encoding="utf-8")
        seconds = paired(
            {
                "python -c pass": [sys.executable, "-c", "pass"],
                "bare click group --help": [sys.executable, str(bare), "--help"],
                "import automl": [sys.executable, "-c", "import automl"],
                "automl --help": [str(Path(sys.executable).with_name("automl")), "--help"],
            },
            runs,
        )
    base = seconds["bare click group --help"]
    print_table(
        ["", "median", "ratio", "at most"],
        [
            [
                name,
                f"{1000 * statistics.median(each):6.1f} ms",
                f"{ratio(each, base):.2f}",
                f"{MOST:.2f}" if "automl" in name else "",
            ]
            for name, each in seconds.items()
        ],
    )
    print()
    modules = {
        "import automl": loaded("import automl"),
        "automl --help": loaded("from automl.cli.main import main; main(['--help'])"),
    }
    print_table(
        ["", "modules", "heavy ones (none wanted)"],
        [
            [name, f"{len(names):7d}", ", ".join(n for n in HEAVY if n in names) or "none"]
            for name, names in modules.items()
        ],
    )


def paired(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, list[float]]:
    """Returns seconds by command, of `runs` rounds in which each command runs once."""
    # Whoever installed automl has compiled modules; a setting of this shell must not undo that.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for round_number in range(runs + 1):
        for name, command in commands.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
            if round_number > 0:  # the first round only warms the disk's cache
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def ratio(times: Sequence[float], base: Sequence[float]) -> float:
    """Returns the median ratio of paired runs."""
    return statistics.median(a / b for a, b in zip(times, base, strict=True))


def loaded(statement: str) -> set[str]:
    """Returns the modules that a fresh interpreter holds after `statement`."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(statement=statement)],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


if __name__ == "__main__":
    main()
