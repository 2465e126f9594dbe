"""Whether images differ from those that a model was measured on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.evaluation.reference import reference
from automl.manifest import Manifest
from automl.model import Model
from automl_serving.gateway.drift import Drift

LABELS = ("a", "b", "c")


def drift_from(probabilities: list[float]) -> Drift:
    rows = np.array([[p, (1 - p) / 2, (1 - p) / 2] for p in probabilities])
    measured = reference(LABELS, rows)
    return Drift(Manifest("m", 1, LABELS, 8, 8, "squash", 1.0, reference=measured))


def test_the_same_images_are_no_drift_and_others_are() -> None:
    seen = [0.95, 0.55, 1.0, 0.75] * 50
    drift = drift_from(seen)
    for probability in seen[:99]:
        drift.add("a", probability)
    assert drift.distances() == {}
    for probability in seen[99:]:
        drift.add("a", probability)
    assert drift.distances() == pytest.approx({"classes": 0, "confidence": 0}, abs=1e-6)
    for _ in range(1000):
        drift.add("b", 0.4)
    assert drift.distances() == pytest.approx({"classes": 1, "confidence": 1}, abs=1e-5)


@given(
    st.lists(st.floats(0.34, 1.0), min_size=1, max_size=20),
    st.lists(st.tuples(st.sampled_from(LABELS), st.floats(0, 1)), min_size=100, max_size=150),
)
def test_distances_are_between_0_and_1(seen: list[float], coming: list[tuple[str, float]]) -> None:
    drift = drift_from(seen)
    for label, probability in coming:
        drift.add(label, probability)
    assert all(-1e-9 <= value <= 1 + 1e-5 for value in drift.distances().values())


def test_metrics_tell_it(
    start_gateway: Callable[..., Any],
    connect_to: Callable[[Any], httpx.Client],
    model_server: Any,
    colour_model: Model,
    colour_images: Mapping[str, Path],
    tmp_path: Path,
) -> None:
    content = json.loads((colour_model.path / "assets.extra" / "manifest.json").read_text())
    content["reference"] = {"classes": {"rot": 1.0}, "confidence": [0.0] * 9 + [1.0]}
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(content))
    gateway = start_gateway(model_server.ready["port"], f"--manifest={file}")
    with connect_to(gateway) as client:
        assert "automl_gateway_drift{" not in client.get("/metrics").text
        blue = colour_images["sky blue"].read_bytes()
        for _ in range(2):
            answer = client.post("/v1/score", files=[("a", ("a", blue))] * 60)
            assert answer.status_code == 200
        text = client.get("/metrics").text

    def metric(name: str, **labels: str) -> float:
        inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        found = re.search(rf"^{name}{{{inside}}} (\S+)$", text, re.MULTILINE)
        assert found, name
        return float(found[1])

    assert metric("automl_gateway_predictions_total", version="1", label="sky blue") == 120
    assert metric("automl_gateway_expected_share", version="1", label="rot") == 1
    assert metric("automl_gateway_confidence_total", version="1", up_to="1") == 120
    assert metric("automl_gateway_drift", version="1", of="classes") == 1
    assert metric("automl_gateway_drift", version="1", of="confidence") == 0
