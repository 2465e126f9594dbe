"""In which precision a deployment on this machine computes: float32, or bfloat16 if asked for."""

from __future__ import annotations

import os
import typing
from collections.abc import Mapping
from typing import Any

from automl.components import DeployRequest, Precision
from automl.errors import UsageError
from automl.manifest import Manifest
from automl.plugins import load_runtime
from automl_plugins.targets.options import choice

_RUNTIME = "AUTOML_MODEL_SERVER_RUNTIME"
"""What says to the model server, which has this process' environment, what it computes with."""


def chosen_precision(options: Mapping[str, Any]) -> Precision:
    """Returns the option `precision`.

    Raises:
        UsageError: If there is no such precision.
    """
    return typing.cast("Precision", choice(options, "precision", typing.get_args(Precision)))


def check_precision(request: DeployRequest) -> None:
    """Checks that the version can be computed in the precision that is asked for.

    The model server would take float32 without it, and tell only its log.

    Raises:
        UsageError: If it cannot, or there is no such precision.
    """
    wanted = chosen_precision(request.options)
    if wanted == "float32":
        return
    against = Manifest.read(request.model_path).against_bfloat16()
    against = against or load_runtime(os.environ.get(_RUNTIME, "")).against(wanted)
    if against:
        raise UsageError(
            f"expected a model that can be computed in {wanted}, found that {against}; take "
            f"--set precision=float32."
        )
