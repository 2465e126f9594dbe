"""The contract of an image source."""

from __future__ import annotations

import tempfile
from pathlib import Path

from automl.components import ImageRecord, ImageSource
from automl.errors import DataError
from automl.testing.expect import check_name, expect, expect_raises


def check_image_source(source: ImageSource, location: str) -> None:
    """Checks that a source reads the labelled images at `location`.

    Args:
        source: The component.
        location: A place of its kind that holds at least one labelled image.

    Raises:
        AssertionError: With one sentence, if the contract is broken.
    """
    name = check_name(source)
    expect(source.accepts(location), f"expected {name} to accept {location!r}, found it does not.")
    records = list(source.read(location))
    expect(records, f"expected {name} to find images at {location!r}, found none.")
    for record in records:
        _check_record(name, record)
    expect(
        list(source.read(location)) == records,
        f"expected {name} to read {location!r} in the same order each time, found another.",
    )
    with tempfile.TemporaryDirectory() as folder:
        missing = str(Path(folder) / "missing")
        with expect_raises(DataError, f"{name} reading a place that does not exist"):
            list(source.read(missing))


def _check_record(name: str, record: ImageRecord) -> None:
    expect(
        isinstance(record, ImageRecord) and Path(record.path).is_file(),
        f"expected {name} to yield ImageRecords of files that exist, found {record!r}.",
    )
    expect(
        isinstance(record.label, str) and record.label,
        f"expected {name} to label each image with text, found {record.label!r}.",
    )
    expect(
        record.split in (None, "train", "val", "test"),
        f"expected {name} to name the split train, val, test or None, found {record.split!r}.",
    )
