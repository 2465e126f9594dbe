"""Imports OpenVINO without the part of it that reports its use."""

from __future__ import annotations

import sys
from typing import Any

_REPORTER: Any = "openvino_telemetry"


def import_openvino() -> Any:
    """Returns the package `openvino`.

    When it is imported it tells Google Analytics, without asking, from a process that it forks:
    no business of a user's, and no thing to do beside gRPC's threads. It keeps still where its
    reporter cannot be imported.
    """
    sys.modules.setdefault(_REPORTER, None)  # type: ignore[arg-type]
    import openvino

    return openvino
