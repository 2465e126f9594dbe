"""The contract of a runtime."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from automl.components import Precision, Runtime
from automl.errors import ExportError
from automl.testing.expect import check_name, expect, expect_raises


def check_runtime(runtime: Runtime, saved_model: Path) -> None:
    """Loads a SavedModel and runs its `serving_default`; runs a Keras model if it takes one.

    Args:
        runtime: The component.
        saved_model: A folder that automl exported, such as `models/NAME/1`.

    Raises:
        AssertionError: With one sentence, if the contract is broken.
    """
    name = check_name(runtime)
    with (
        tempfile.TemporaryDirectory() as empty,
        expect_raises(ExportError, f"{name} loading an empty folder"),
    ):
        runtime.load(Path(empty))
    model = runtime.load(saved_model)
    signatures: Any = model.signatures
    expect(
        "serving_default" in signatures,
        f"expected {name} to offer serving_default, found {sorted(signatures)}.",
    )
    shape = signatures["serving_default"].inputs["images"].tensor_shape
    sides = [dimension.size for dimension in shape.dim[1:]]
    images = np.random.default_rng(0).integers(0, 256, (5, *sides), dtype=np.uint8)

    def probabilities(batch: Any) -> Any:
        return model.predict("serving_default", {"images": batch})["probabilities"]

    whole = probabilities(images)
    expect(
        whole.dtype == np.float32
        and len(whole) == 5
        and np.allclose(whole.sum(axis=1), 1, atol=1e-4),
        f"expected {name} to return float32 probabilities that sum to 1, found {whole.dtype} "
        f"{list(whole.shape)}.",
    )
    with ThreadPoolExecutor(3) as pool:
        alone = np.concatenate(list(pool.map(probabilities, np.split(images, 5))))
    expect(
        np.allclose(alone, whole, atol=1e-4),
        f"expected {name} to score an image alike alone, in a batch and from several threads, "
        f"found a difference of {np.abs(alone - whole).max():.2g}.",
    )
    beside = runtime.load_beside(saved_model)
    beside.warm_up("serving_default", {"images": images})
    other = beside.predict("serving_default", {"images": images})["probabilities"]
    beside.close()
    expect(
        np.allclose(other, whole, atol=1e-4) and np.allclose(probabilities(images), whole),
        f"expected {name} to load a model beside another that score alike, and to close one of "
        f"them without a change to the other.",
    )
    expect(
        "float32" in runtime.precisions,
        f"expected {name} to compute in float32, found {sorted(runtime.precisions)} only.",
    )
    for precision in runtime.precisions:
        loaded = runtime.load(saved_model, precision)
        expect(
            loaded.precision == precision,
            f"expected {name} to compute in {precision}, which is one of its precisions, and to "
            f"say so, found {loaded.precision}.",
        )
        found = loaded.predict("serving_default", {"images": images})["probabilities"]
        expect(
            found.dtype == np.float32 and found.shape == whole.shape,
            f"expected {name} to return float32 {list(whole.shape)} in {precision}, too, found "
            f"{found.dtype} {list(found.shape)}.",
        )
    _check_compiled(runtime, "float32", 1e-4)
    _check_compiled(runtime, "bfloat16", 0.1)


def _check_compiled(runtime: Runtime, precision: Precision, tolerance: float) -> None:
    import keras

    layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((9, 9, 3)), *layers])
    forward = runtime.compile(model, precision)
    if forward is None:
        return
    generator = np.random.default_rng(0)
    batches = [generator.random((n, 9, 9, 3), dtype=np.float32) for n in (4, 4, 4, 4, 4, 4, 1)]
    for found, batch in zip(forward(iter(batches)), batches, strict=True):
        wanted = model.predict_on_batch(batch)
        expect(
            found.dtype == np.float32
            and found.shape == wanted.shape
            and np.allclose(found, wanted, atol=tolerance),
            f"expected {runtime.name} to yield float32 {list(wanted.shape)} as Keras does, batch "
            f"by batch in their order, found {found.dtype} {list(found.shape)} or other values.",
        )
