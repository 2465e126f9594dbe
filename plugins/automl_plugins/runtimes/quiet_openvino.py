"""OpenVINO without the part of it that reports its use, with one core, and its converter mended."""

from __future__ import annotations

import sys
import threading
from functools import cache
from typing import Any

_REPORTER: Any = "openvino_telemetry"
_ONE_CORE = threading.Lock()


def import_openvino() -> Any:
    """Returns the package `openvino`.

    When it is imported it tells Google Analytics, without asking, from a process that it forks:
    no business of a user's, and no thing to do beside gRPC's threads. It keeps still where its
    reporter cannot be imported.
    """
    sys.modules.setdefault(_REPORTER, None)  # type: ignore[arg-type]
    import openvino

    return openvino


def core() -> Any:
    """Returns the one `openvino.Core` of the process, which stays to its end.

    Each core gives the thread that first uses it a stack for signal handlers, and puts the former
    one back when it goes. Of several that went in another order than they came, one was put back
    that was gone; the next signal, such as Ctrl-C, then killed the process without a word.
    """
    with _ONE_CORE:
        return _core()


@cache
def _core() -> Any:
    return import_openvino().Core()


def import_converter(tensorflow: str) -> Any:
    """Returns `openvino.convert_model` for functions of TensorFlow, whose version is given.

    It finds out that version by code that fails from Python 3.13 on, where `exec` no longer sees
    what an earlier one has made; so it is told.
    """
    openvino = import_openvino()
    from openvino.frontend.tensorflow import utils

    utils.get_environment_setup = lambda framework: {"tensorflow": tensorflow}
    return openvino.convert_model
