"""The OpenVINO runtime beside TensorFlow, on real SavedModels and real networks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.errors import ExportError
from automl.model import Model
from automl.plugins import load_runtime, plugin_manager


@pytest.fixture(scope="module")
def loaded(colour_model: Model) -> Any:
    return load_runtime("openvino").load(colour_model.path)


def test_it_offers_serving_default_alone(loaded: Any) -> None:
    assert set(loaded.signatures) == {"serving_default"}
    images = loaded.signatures["serving_default"].inputs["images"]
    assert [dim.size for dim in images.tensor_shape.dim] == [-1, 16, 24, 3]


def test_it_agrees_with_tensorflow(loaded: Any, colour_model: Model) -> None:
    images = np.random.default_rng(0).integers(0, 256, (33, 16, 24, 3), dtype=np.uint8)
    wanted = load_runtime("tensorflow").load(colour_model.path)
    answers = [m.predict("serving_default", {"images": images}) for m in (loaded, wanted)]
    assert answers[0].keys() == answers[1].keys() == {"logits", "probabilities"}
    for name in answers[0]:
        np.testing.assert_allclose(answers[0][name], answers[1][name], atol=1e-5)


def test_threads_do_not_mix_their_answers(loaded: Any) -> None:
    def logit(value: int) -> float:
        images = np.full((1, 16, 24, 3), value, np.uint8)
        return float(loaded.predict("serving_default", {"images": images})["logits"][0, 0])

    values = list(range(0, 256, 4))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(logit, values)) == pytest.approx([value / 32 for value in values])


@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_what_is_no_model_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ExportError, match="expected a SavedModel"):
        load_runtime("openvino").load(tmp_path)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.2)])
def test_a_frozen_backbone_gives_the_features_that_keras_gives(
    precision: Any, tolerance: float
) -> None:
    network = plugin_manager().backbones["efficientnet-lite"].build(0, 64, "pretrained")
    generator = np.random.default_rng(0)
    batches = [generator.uniform(0, 255, (n, 64, 64, 3)).astype(np.float32) for n in (8, 8, 8, 3)]
    forward = load_runtime("openvino").compile(network, precision)
    assert forward is not None
    for found, batch in zip(forward(batches), batches, strict=True):
        wanted = network.predict_on_batch(batch)
        assert found.shape == wanted.shape
        assert np.linalg.norm(found - wanted) <= tolerance * np.linalg.norm(wanted)
