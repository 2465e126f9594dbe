"""In which precision a version is served: float32, unless another is asked for and allowed."""

from __future__ import annotations

import logging
from pathlib import Path

from automl.components import Precision, Runtime
from automl.errors import AutomlError
from automl.manifest import Manifest

logger = logging.getLogger(__name__)


def precision_of(path: Path, wanted: Precision, runtime: Runtime) -> Precision:
    """Returns what the version in the folder `path` is to be computed in.

    bfloat16 changes answers. So it takes the word of the version's own manifest, whose export
    has looked at how much, on real images; and a processor that has it.

    Args:
        path: The version's folder.
        wanted: What was asked for.
        runtime: What executes it.
    """
    if wanted == "float32":
        return "float32"
    against = _against(path) or runtime.against(wanted)
    if against:
        logger.warning("%s is computed in float32, as %s", path, against)
        return "float32"
    return wanted


def _against(path: Path) -> str:
    """Returns what the manifest has against bfloat16, if anything."""
    try:
        return Manifest.read(path).against_bfloat16()
    except AutomlError:
        return "it has no manifest that could allow bfloat16"
