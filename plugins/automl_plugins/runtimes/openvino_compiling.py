"""Compiles a SavedModel's `serving_default` with OpenVINO, for several ways of being asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl.components import Precision
from automl.manifest import MANIFEST
from automl_plugins.runtimes.quiet_openvino import core

SIGNATURE = "serving_default"
DEVICE = "CPU"

WAYS = {"alone": "LATENCY", "many": "THROUGHPUT", "rows": "THROUGHPUT"}
"""OpenVINO's hints: for a call that is alone, for calls at a time, for rows that go together."""

_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
"""OpenVINO's names. It is always told: left alone, it takes bfloat16 where the CPU has it."""

_LAYERS = ("Convolution", "GroupConvolution", "MatMul")
"""OpenVINO's names of those that have weights, their second input."""

_LEAST_VALUES = 0.5
"""Values between the layers, for each weight, from which rows are best run one by one."""

Compiled = Mapping[str, Any]
"""Compiled models by `WAYS`; `rows` is missing where all rows are run one by one, or none."""


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
    # In a classifier's export no row depends on another; of other models nobody knows.
    single = of_one_row(model) if (path / MANIFEST).is_file() else None
    if single is None:
        models = {"alone": model, "many": model}
    elif is_best_one_by_one(single):
        models = {"alone": single, "many": single}
    else:
        models = {"alone": single, "many": single, "rows": model}
    return {way: compile_model(models[way], precision, WAYS[way]) for way in models}


def of_one_row(model: Any) -> Any | None:
    """Returns a copy of a model that takes a single row, if there can be one.

    OpenVINO plans ahead what it does with sizes that are known: a picture takes MobileNetV2 half
    the time then, ConvNeXt and EfficientNet-Lite five sixths.
    """
    single = model.clone()
    try:
        single.reshape({port: [1, *list(port.partial_shape)[1:]] for port in single.inputs})
    except RuntimeError:  # something in it has another size
        return None
    return single if takes_one_row(single) and not single.is_dynamic() else None


def takes_one_row(model: Any) -> bool:
    """Says whether a model, compiled or not, is of one row."""
    shapes = [port.partial_shape for port in (*model.inputs, *model.outputs)]
    one = all(shape.rank.is_static and len(shape) and shape[0] == 1 for shape in shapes)
    return one and bool(model.inputs)


def is_best_one_by_one(single: Any) -> bool:
    """Says whether many rows take less time one by one than together.

    Where much lies between the layers, that of one row stays in the processor's cache; where there
    are more weights, these are read once for all rows.

    Args:
        single: The model of one row.
    """
    layers = [op for op in single.get_ops() if op.get_type_name() in _LAYERS]
    values = sum(math.prod(layer.output(0).get_shape()) for layer in layers)
    weights = sum(math.prod(layer.input(1).get_shape()) for layer in layers)
    return bool(values > _LEAST_VALUES * weights)


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
