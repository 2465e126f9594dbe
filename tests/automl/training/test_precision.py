"""In which precision networks are trained, and what of that stays."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from automl.training.classifier import load_classifier
from automl.training.forward import predict
from automl.training.precision import choose, training_precision
from automl.training.trial import Trial

PRETRAINED = {
    "backbone": "efficientnet-lite",
    "depth": 0,
    "resolution": 64,
    "weights": "pretrained",
    "unfreeze": 0.25,
    "lr": 1e-3,
}


@pytest.mark.parametrize(
    ("keras_has_gpu", "capabilities", "precision"),
    [
        (True, [9.0], "bfloat16"),
        (True, [8.0, 8.9], "bfloat16"),
        (True, [9.0, 7.5], "float32"),  # whichever of them it gets
        (True, [], "float32"),  # another maker's
        (False, [9.0], "float32"),  # the CPU build of a backend
        (False, [], "float32"),
    ],
)
def test_the_choice(keras_has_gpu, capabilities, precision):
    assert choose(keras_has_gpu, capabilities) == precision


def test_this_process_sees_no_gpu(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert training_precision() == "float32"


@pytest.mark.parametrize("changes", [{}, pytest.param(PRETRAINED, marks=pytest.mark.slow)])
def test_trained_in_bfloat16_and_exported_in_float32(changes, tuned, make_data, tmp_path):
    params = {**tuned, "epochs": 2, **changes}
    data = make_data(params["resolution"], images=60)
    trial = Trial(params, data, precision="bfloat16")
    result = trial.judge()
    assert 0 < result.score <= 1
    assert result.temperature > 0
    classifier = trial.refit(1.0)
    assert {layer.compute_dtype for layer in trial.network.layers} == {"bfloat16"}
    assert {weight.dtype for weight in classifier.model.trainable_weights} == {"float32"}
    assert classifier.model.output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"

    classifier.save(tmp_path / "classifier")
    loaded = load_classifier(tmp_path / "classifier")
    assert {layer.compute_dtype for layer in loaded.model.layers} == {"float32"}
    rows = np.arange(10)
    rough = predict(classifier.model, data.pixels, rows)
    exact = predict(loaded.model, data.pixels, rows)
    assert rough.dtype == exact.dtype == np.float32
    assert not np.array_equal(rough, exact)
    np.testing.assert_allclose(rough, exact, atol=0.05 * np.abs(exact).max())


def test_frozen_features_are_float32_whatever_fine_tuning_is(tuned, make_data):
    frozen = {**tuned, **PRETRAINED, "unfreeze": 0.0, "head": "logistic"}
    assert Trial(frozen, make_data(), precision="bfloat16").precision == "float32"
