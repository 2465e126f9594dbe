"""bfloat16 is served where it was asked for, the manifest allows it and the processor has it."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.errors import UsageError
from automl.manifest import Manifest
from automl.model import Model
from automl.plugins import load_runtime
from automl_serving.model_server.loading import Loader
from automl_serving.model_server.metrics import ServerMetrics
from automl_serving.model_server.settings import ModelServerSettings

HAS_BFLOAT16 = "bfloat16" in load_runtime("openvino").precisions
ALLOWED = {"bfloat16": {"largest_difference": 0.001, "same_class": 1.0, "allowed": True}}
REFUSED = {"bfloat16": {"largest_difference": 0.25, "same_class": 0.5, "allowed": False}}


def settings(precision: str) -> ModelServerSettings:
    arguments = ["--model_base_path=x", f"--precision={precision}"]
    return ModelServerSettings.parse(arguments, "automl-model-server", "")


@pytest.fixture
def loaded(colour_model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Any:
    """Loads the model with what its manifest says of parity, and returns what the log says."""

    def load(precision: Any, parity: dict[str, Any] | None, runtime: str = "openvino") -> str:
        version = tmp_path / "1"
        shutil.copytree(colour_model.path, version)
        if parity is None:
            (version / "assets.extra" / "manifest.json").unlink()
        else:
            dataclasses.replace(colour_model.manifest, parity=parity).write(version)
        caplog.set_level("INFO")
        loader = Loader(load_runtime(runtime), True, ServerMetrics(), settings(precision).precision)
        servable = loader("colours", 1, version, beside=False)
        answer = servable.run("", {"images": np.full((1, 16, 24, 3), 64, np.uint8)})
        assert answer["logits"][0] == pytest.approx([2, 2, 2], abs=0.1)
        return caplog.text

    return load


@pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor does not compute in bfloat16")
def test_it_is_served_where_it_is_allowed(loaded: Any) -> None:
    assert "is computed in bfloat16" in loaded("bfloat16", ALLOWED)


def test_nobody_gets_it_unasked(loaded: Any) -> None:
    assert "computed in" not in loaded("float32", ALLOWED)


@pytest.mark.parametrize(
    ("parity", "why"),
    [
        (REFUSED, "bfloat16 changed a probability by 0.25 at its export"),
        ({}, "its export has not measured bfloat16"),
        (None, "it has no manifest that could allow bfloat16"),
    ],
)
def test_it_is_not_where_the_export_did_not_allow_it(loaded: Any, parity: Any, why: str) -> None:
    assert f"is computed in float32, as {why}" in loaded("bfloat16", parity)


def test_nor_by_a_runtime_without_it(loaded: Any) -> None:
    text = loaded("bfloat16", ALLOWED, "tensorflow")
    assert "is computed in float32, as tensorflow has no bfloat16 here" in text


def test_other_precisions_are_refused() -> None:
    with pytest.raises(UsageError, match="expected float32 or bfloat16 for --precision"):
        settings("float16")


def test_manifests_keep_what_was_measured(tmp_path: Path, colour_model: Model) -> None:
    dataclasses.replace(colour_model.manifest, parity=ALLOWED).write(tmp_path)
    assert Manifest.read(tmp_path).parity == ALLOWED
