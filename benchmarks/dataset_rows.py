"""What a million rows take: read from CSV, kept as an index, filtered and split.

python benchmarks/dataset_rows.py [--rows 1000000]

The rows name pictures that do not exist, since only the table is measured. The index holds what
identifies each picture's content, as `automl dataset create` finds it out by reading the files.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from automl import Dataset
from automl.cli.options import print_table

SECONDS, MEBIBYTES = 10.0, 1024
T = TypeVar("T")


def main() -> None:
    """Measures and prints; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    steps: list[tuple[str, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        table, index = Path(folder) / "t.csv", Path(folder) / "index.parquet"
        write(table, rows)
        before = peak()
        dataset = timed(steps, "read from CSV", lambda: Dataset.from_source(table, folder))
        with_ids(dataset).to_parquet(index)
        del dataset
        stored = timed(steps, "open the index", lambda: Dataset.from_parquet(index))
        some = timed(steps, "filter", lambda: stored.filter(label=["3", "7"], split="train"))
        timed(steps, "split, stratified", lambda: stored.split(0.8))
        timed(steps, "split by a column", lambda: some.split(0.8, group="patient"))
    total = sum(seconds for _, seconds, _ in steps)
    print_table(
        ("", "seconds", "of a processor"),
        [(name, f"{seconds:.1f}", f"{busy:.1f}") for name, seconds, busy in steps],
    )
    print(
        f"\n{rows:,} rows: {total:.1f} s, {sum(busy for *_, busy in steps):.1f} of a processor "
        f"(wanted: at most {SECONDS:.0f}); at most {peak():,} MiB "
        f"in all, {before:,} of them before (wanted: at most {MEBIBYTES:,})."
    )


def write(path: Path, rows: int) -> None:
    """Writes a table of `rows` pictures in 100 classes, of which one patient has ten."""
    with path.open("w") as file:
        file.write("path,label,split,patient\n")
        for row in range(rows):
            split = "test" if row % 5 == 0 else "train"
            file.write(f"photos/{row % 1000:03}/{row:09}.jpg,{row % 100},{split},p{row // 10}\n")


def with_ids(dataset: Dataset) -> Dataset:
    """Returns the dataset with the ids that reading the files would give."""
    ids = pa.array([f"{row:016x}" for row in range(len(dataset))], pa.string())
    column = dataset.table.schema.get_field_index("id")
    return Dataset(dataset.table.set_column(column, "id", ids), dataset.labels)


def timed(steps: list[tuple[str, float, float]], name: str, work: Callable[[], T]) -> T:
    """Returns what `work` does, and notes its seconds, and those that processors were busy."""
    begun, busy = time.perf_counter(), time.process_time()
    result = work()
    steps.append((name, time.perf_counter() - begun, time.process_time() - busy))
    return result


def peak() -> int:
    """Returns the most memory that the process has held, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


if __name__ == "__main__":
    main()
