"""An event file of TensorBoard's, written without TensorFlow.

The `tensorboard` package's own `EventFileWriter` reaches for TensorFlow's file system where
TensorFlow is installed, which takes seconds to import; its record writer and its messages do not.
"""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_number = itertools.count()


class EventFile:
    """Appends events to a new file; each can be read by others once its method has returned."""

    def __init__(self, folder: Path) -> None:
        """Makes `folder` if need be, and a file of its own in it."""
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        # TensorBoard takes any name with `tfevents`, and reads a folder's files in their order.
        host, number = socket.gethostname(), next(_number)
        path = folder / f"events.out.tfevents.{now:017.6f}.{host}.{os.getpid()}.{number}"
        self._records = RecordWriter(path.open("xb"))
        self._write(wall_time=now, file_version="brain.Event:2")

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Writes a value for each tag."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary()
        for tag, value in values.items():
            summary.value.add(tag=tag, simple_value=value)
        self.summary(summary, step)

    def summary(self, summary: Any, step: int = 0) -> None:
        """Writes a `tensorboard.compat.proto.summary_pb2.Summary`."""
        self._write(wall_time=time.time(), step=step, summary=summary)

    def close(self) -> None:
        """Closes the file."""
        self._records.close()

    def _write(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._records.write(Event(**fields).SerializeToString())
        self._records.flush()
