"""The heads made of Keras layers."""

from __future__ import annotations

from typing import Any

import pytest

from automl.errors import UsageError
from automl_plugins.heads.linear import Linear
from automl_plugins.heads.mlp import MLP


def test_linear_is_one_dense_layer_called_logits():
    (layer,) = Linear().layers(8, 3, {})
    assert layer.name == "logits"
    assert layer.units == 3
    assert layer.get_config()["activation"] == "linear"


def test_mlp_takes_values_as_text():
    hidden, dropout, logits = MLP().layers(8, 3, {"units": "32", "dropout": "0.4"})
    assert (hidden.units, dropout.rate, logits.units) == (32, 0.4, 3)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"units": "many", "dropout": 0.1}, "expected units to be a whole number"),
        ({"units": 0, "dropout": 0.1}, "expected units to be a whole number"),
        ({"units": 8, "dropout": 1.0}, "expected dropout to be a number from 0"),
        ({"units": 8, "dropout": None}, "expected dropout to be a number from 0"),
    ],
)
def test_mlp_refuses_what_makes_no_layer(params: dict[str, Any], sentence: str):
    with pytest.raises(UsageError, match=sentence):
        MLP().layers(8, 3, params)


def test_logits_stay_float32_under_mixed_precision():
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        for head, params in ((Linear(), {}), (MLP(), {"units": 4, "dropout": 0.0})):
            assert head.layers(8, 3, params)[-1].compute_dtype == "float32"
    finally:
        keras.config.set_dtype_policy(before)
