"""Compiles a SavedModel's `serving_default` with OpenVINO, for several ways of being asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl.components import Precision
from automl_plugins.runtimes.quiet_openvino import core

SIGNATURE = "serving_default"
DEVICE = "CPU"

WAYS = {"alone": "LATENCY", "many": "THROUGHPUT", "pairs": "THROUGHPUT"}
"""OpenVINO's hints for a call that is alone, for calls at a time, for such calls of two rows."""

_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
"""OpenVINO's names. It is always told: left alone, it takes bfloat16 where the CPU has it."""

Compiled = Mapping[str, Any]
"""Compiled models by `WAYS`; one that has no rows comes without `pairs`."""


def convert(path: Path, definitions: Mapping[str, Any], precision: Precision) -> Compiled:
    """Compiles the model in the folder `path`, whose signatures are known.

    Raises:
        ValueError: If what OpenVINO made of the model is not that signature.
        RuntimeError: If it cannot be converted.
    """
    if SIGNATURE not in definitions:
        raise ValueError(f"it has no signature {SIGNATURE}")
    # OpenVINO's own reader: its `convert_model` would import TensorFlow, if only to look.
    model = core().read_model(path)
    ports = [
        set().union(*(port.get_names() for port in side)) for side in (model.inputs, model.outputs)
    ]
    definition = definitions[SIGNATURE]
    for found, wanted in zip(ports, (definition.inputs, definition.outputs), strict=True):
        if not set(wanted) <= found:
            raise ValueError(f"it reads {sorted(found)} where {SIGNATURE} has {sorted(wanted)}")
    compiled = {way: compile_model(model, precision, WAYS[way]) for way in ("alone", "many")}
    # The last, since it changes the model: a copy would hold the interpreter's lock for too long.
    if _limit_to_two_rows(model):
        compiled["pairs"] = compile_model(model, precision, WAYS["pairs"])
    return compiled


def _limit_to_two_rows(model: Any) -> bool:
    """Makes it a model for two rows alone, of which some 10 % more are computed a second.

    Returns whether that was possible; it is not for a model that has no rows.
    """
    if not all(port.partial_shape.rank.is_static for port in model.inputs):
        return False
    shapes = {port.any_name: list(port.partial_shape) for port in model.inputs}
    if not all(shape and shape[0].is_dynamic for shape in shapes.values()):
        return False
    try:
        model.reshape({name: [2, *shape[1:]] for name, shape in shapes.items()})
    except RuntimeError:  # something in it has another size
        return False
    return True


def compile_model(model: Any, precision: Precision, hint: str) -> Any:
    """Compiles an OpenVINO model for `"LATENCY"` or `"THROUGHPUT"`."""
    return core().compile_model(model, DEVICE, properties(precision, hint))


def properties(precision: Precision, hint: str) -> dict[str, Any]:
    """Returns OpenVINO's properties of a model that is compiled so."""
    found: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
        "PERFORMANCE_HINT": hint,
    }
    if hint == "THROUGHPUT":
        # One thread a core; bound to it, each would wait for whatever else runs there while
        # another core is idle.
        found["ENABLE_CPU_PINNING"] = False
    return found
