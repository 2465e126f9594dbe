"""What held-out images are taken for."""

from __future__ import annotations

import numpy as np

from automl.evaluation.reference import reference


def test_shares_of_labels_and_of_confidence() -> None:
    probabilities = np.array([[1.0, 0.0], [0.95, 0.05], [0.45, 0.55], [0.5, 0.5]])
    assert reference(["a", "b"], probabilities) == {
        "classes": {"a": 0.75, "b": 0.25},
        "confidence": [0, 0, 0, 0, 0, 0.5, 0, 0, 0, 0.5],
    }
    assert reference(["a", "b", "c"], np.array([[0, 0, 1.0]]))["classes"]["a"] == 0
