"""In which precision networks are trained: chosen here, for every backend of Keras.

A GPU that computes in bfloat16 does so at several times the speed. Only the network of a trial that
is fine-tuned is built so: its weights and the optimizer stay float32, and the head on it computes
in float32 and so returns float32 logits. bfloat16 has float32's range, so that gradients need no
scaling. What is exported is built again in float32.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from automl.components import Precision
from automl.hardware import compute_capabilities

BFLOAT16_SINCE = 8.0
"""The first compute capability of NVIDIA GPUs with bfloat16 in their matrix units (Ampere)."""

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
"""Keras' names."""


def training_precision() -> Precision:
    """Returns the precision that networks are best trained in on this machine."""
    found = has_gpu()  # without one, there is no reason to ask the driver
    return choose(found, compute_capabilities() if found else [])


def choose(keras_has_gpu: bool, capabilities: Sequence[float]) -> Precision:
    """Returns bfloat16 where Keras uses GPUs that all compute in it; CPUs are slower with it.

    Args:
        keras_has_gpu: Whether the backend of Keras finds a GPU; its CPU build does not.
        capabilities: Compute capabilities of the machine's NVIDIA GPUs.
    """
    modern = bool(capabilities) and min(capabilities) >= BFLOAT16_SINCE
    return "bfloat16" if keras_has_gpu and modern else "float32"


def has_gpu() -> bool:
    """Says whether the backend of Keras finds a GPU."""
    import keras

    if keras.config.backend() == "torch":  # for which Keras lists no devices
        import torch

        return bool(torch.cuda.is_available())
    return bool(keras.distribution.list_devices("gpu"))


@contextlib.contextmanager
def building_in(precision: Precision) -> Iterator[None]:
    """Has layers that are built in the block compute in `precision`."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
