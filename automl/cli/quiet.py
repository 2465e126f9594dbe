"""Keeps TensorFlow's start-up chatter off the terminal.

For commands alone, whose process is theirs: in a program that uses automl, threads and child
processes write to the same standard error, and what they write must not be held back.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

_CHATTER = re.compile(rb"[IWE]\d{4} [\d:.]+ |WARNING: All log messages before absl|To enable the f")
"""How lines begin that its C++ side writes while it is loaded, whatever the log level says."""


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Holds back what is written to standard error, and passes on all but the chatter after."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    own = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(own, 2)
            os.close(own)
            held.seek(0)
            for line in held:
                if not _CHATTER.match(line):
                    os.write(2, line)
