"""The search space in words of JSON."""

from __future__ import annotations

import keras_tuner

from automl.tuning.dimensions import describe_dimensions


def test_a_dimension_of_several_scopes_is_what_it_may_be_in_any():
    hp = keras_tuner.HyperParameters()
    hp.Choice("backbone", ["pixels", "resnet"])
    with hp.conditional_scope("backbone", ["pixels"]):
        hp.Choice("depth", [0])
        hp.Float("lr", 1e-4, 1e-2, sampling="log")
    with hp.conditional_scope("backbone", ["resnet"]):
        hp.Choice("depth", [18, 34])
        hp.Float("lr", 1e-3, 0.5, sampling="log")
    hp.Fixed("C", "path")
    hp.Int("units", 8, 64)
    assert describe_dimensions(hp) == {
        "backbone": {"values": ["pixels", "resnet"]},
        "depth": {"values": [0, 18, 34]},
        "lr": {"min": 1e-4, "max": 0.5},
        "C": {"values": ["path"]},
        "units": {"min": 8, "max": 64},
    }
