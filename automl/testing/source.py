"""The contract of an image source."""

from __future__ import annotations

import tempfile
from pathlib import Path

from automl.components import SPLITS, ImageRecord, ImageSource, Rejected
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
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "sources"
        records = list(source.read(location, folder))
        expect(
            any(isinstance(record, ImageRecord) for record in records),
            f"expected {name} to find images at {location!r}, found none.",
        )
        for record in records:
            _check_record(name, record)
        expect(
            list(source.read(location, folder)) == records,
            f"expected {name} to read {location!r} in the same order each time, found another.",
        )
        missing = str(Path(temporary) / "missing")
        with expect_raises(DataError, f"{name} reading a place that does not exist"):
            list(source.read(missing, folder))


def _check_record(name: str, record: ImageRecord | Rejected) -> None:
    if isinstance(record, Rejected):
        expect(record.reason, f"expected {name} to say why it rejects a row, found nothing.")
        return
    expect(
        isinstance(record, ImageRecord) and Path(record.path).is_file(),
        f"expected {name} to yield ImageRecords of files that exist, found {record!r}.",
    )
    expect(
        isinstance(record.label, str) and record.label,
        f"expected {name} to label each image with text, found {record.label!r}.",
    )
    expect(
        record.split is None or record.split in SPLITS,
        f"expected {name} to name the split train, val, test or None, found {record.split!r}.",
    )
