"""Compiles models in a process of its own, which computes only when nothing else wants to.

Reading and compiling a model takes a second of a core. In the process that serves another one,
each of its requests would notice, whatever the priority of the thread: they share memory, the
interpreter, and OpenVINO's threads. What was compiled elsewhere is taken over in a tenth of that.

The process writes a line to its standard output, JSON of how many bytes each compiled model has,
and these. It ends when its standard input does, so that a server that was killed leaves no orphan.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from automl.components import Precision
from automl_plugins.runtimes.openvino_compiling import (
    DEVICE,
    WAYS,
    Compiled,
    convert,
    properties,
)
from automl_plugins.runtimes.quiet_openvino import core, import_openvino
from automl_plugins.runtimes.signatures import signature_defs

logger = logging.getLogger(__name__)

PAUSE = 0.1
"""Seconds between two steps that requests may notice, so that none waits for several of them."""

_PROGRAM = f"import sys; from {__name__} import main; main(*sys.argv[1:])"

_PATIENCE = 60.0
"""Seconds to wait for computing that nobody else wants."""


def convert_apart(path: Path, definitions: Mapping[str, Any], precision: Precision) -> Compiled:
    """Does what `convert` does, in another process; where that is not possible, in this one.

    Raises:
        ValueError, RuntimeError: As `convert`.
    """
    try:
        with subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, path, precision],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            patience = threading.Timer(_PATIENCE, process.kill)
            patience.start()
            try:
                assert process.stdout is not None
                return _import(process.stdout, precision)
            finally:
                patience.cancel()
                process.kill()
    except (OSError, ValueError, RuntimeError) as error:
        logger.debug("%s could not be compiled in a process of its own: %s", path, error)
        return convert(path, definitions, precision)


def _import(stream: IO[bytes], precision: Precision) -> Compiled:
    """Takes over the compiled models that the other process writes.

    Raises:
        ValueError: If it ends early.
        RuntimeError: If OpenVINO refuses one.
    """
    import numpy as np

    openvino = import_openvino()
    compiled = {}
    for way, size in json.loads(stream.readline()).items():
        content = openvino.Tensor(np.uint8, [size])
        if stream.readinto(content.data) < size:  # type: ignore[attr-defined]
            raise ValueError(f"it ended within {way}")
        hints = properties(precision, WAYS[way])
        compiled[way] = core().import_model(content, DEVICE, hints)
        time.sleep(PAUSE)
    return compiled


def main(path: str, precision: Precision) -> None:
    """Compiles the model at `path` and writes it to the standard output."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)
    threading.Thread(target=_end_with_input, daemon=True).start()
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # for whatever a library may print
    compiled = convert(Path(path), signature_defs(Path(path)), precision)
    contents = {way: model.export_model().getvalue() for way, model in compiled.items()}
    sizes = {way: len(content) for way, content in contents.items()}
    with output:
        output.write(json.dumps(sizes).encode() + b"\n")
        for content in contents.values():
            output.write(content)


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)
