"""The TensorFlow runtime on a real SavedModel."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.errors import DataError, ExportError, UsageError
from automl.model import Model
from automl.plugins import load_runtime


@pytest.fixture(scope="module")
def loaded(colour_model: Model) -> Any:
    return load_runtime("tensorflow").load(colour_model.path)


def test_signatures_are_those_that_were_exported(loaded: Any) -> None:
    assert set(loaded.signatures) == {"serving_default", "encoded"}
    images = loaded.signatures["serving_default"].inputs["images"]
    assert [dim.size for dim in images.tensor_shape.dim] == [-1, 16, 24, 3]


def test_it_computes_what_the_model_says(loaded: Any) -> None:
    images = np.zeros((2, 16, 24, 3), np.uint8)
    images[0, ..., 1] = 64
    images[1, ..., 2] = 128
    outputs = loaded.predict("serving_default", {"images": images})
    np.testing.assert_allclose(outputs["logits"], [[0, 2, 0], [0, 0, 4]])
    softmax = np.exp(outputs["logits"] / 2)  # the model's temperature is 2
    softmax /= softmax.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(outputs["probabilities"], softmax, rtol=1e-6)


def test_threads_do_not_mix_their_answers(loaded: Any) -> None:
    def logit(value: int) -> float:
        images = np.full((1, 16, 24, 3), value, np.uint8)
        return float(loaded.predict("serving_default", {"images": images})["logits"][0, 0])

    values = list(range(0, 256, 4))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(logit, values)) == [value / 32 for value in values]


def test_damaged_images_are_the_callers_fault(loaded: Any) -> None:
    images = np.array([b"no image"], object)
    with pytest.raises(DataError, match="Unknown image file format") as caught:
        loaded.predict("encoded", {"encoded_images": images})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_what_is_no_model_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ExportError, match="expected a SavedModel"):
        load_runtime("tensorflow").load(tmp_path)


def test_an_unknown_runtime_is_told() -> None:
    with pytest.raises(UsageError, match="tensorflow"):
        load_runtime("tensorflaw")


def test_finding_it_loads_no_other_plugin_and_no_framework() -> None:
    code = """if True:
        import sys
        from automl.plugins import load_runtime
        load_runtime("tensorflow")
        loaded = set(sys.modules)
        assert not loaded & {"tensorflow", "numpy", "keras", "sklearn"}, loaded
        plugins = {m.split(".")[1] for m in loaded if m.startswith("automl_plugins.")}
        assert plugins == {"runtimes"}, plugins
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
