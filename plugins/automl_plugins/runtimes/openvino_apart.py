"""Compiles models in a process of its own, which computes only when nothing else wants to.

Reading and compiling a model takes a second of a core. In the process that serves another one,
each of its requests would notice, whatever the priority of the thread: they share memory, the
interpreter, and OpenVINO's threads. What was compiled elsewhere is taken over in a tenth of that.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.components import Precision
    from automl_plugins.runtimes.openvino_compiling import Compiled

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
    from automl_plugins.runtimes.openvino_compiling import convert

    try:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [sys.executable, "-c", _PROGRAM, path, precision, folder],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE,
                check=True,
            )
            return _import(Path(folder), precision)
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        logger.debug("%s could not be compiled in a process of its own: %s", path, error)
        return convert(path, definitions, precision)


def _import(folder: Path, precision: Precision) -> Compiled:
    import numpy as np

    from automl_plugins.runtimes.openvino_compiling import DEVICE, WAYS, properties
    from automl_plugins.runtimes.quiet_openvino import import_openvino

    openvino = import_openvino()
    compiled = {}
    for file in sorted(folder.iterdir()):
        content = openvino.Tensor(np.uint8, [file.stat().st_size])
        with file.open("rb", buffering=0) as blob:  # which leaves the interpreter to others
            blob.readinto(content.data)
        hint = properties(precision, WAYS[file.name])
        compiled[file.name] = openvino.Core().import_model(content, DEVICE, hint)
        time.sleep(PAUSE)
    return compiled


def main(path: str, precision: Precision, folder: str) -> None:
    """Compiles the model at `path` into files in `folder`, named by `WAYS`."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)
    # Not before: importing takes a good part of the time.
    from automl_plugins.runtimes.openvino_compiling import convert
    from automl_plugins.runtimes.signatures import signature_defs

    for way, compiled in convert(Path(path), signature_defs(Path(path)), precision).items():
        (Path(folder) / way).write_bytes(compiled.export_model().getvalue())
