"""What folds' heads say of images: planted mistakes are found, whatever the folds are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedShuffleSplit

from automl.training import doubts
from automl.training.doubts import find_doubts

WRONG = (3, 50, 97)
STRANGE = 20


def planted() -> tuple[Any, Any, Any]:
    """Returns features of three clusters, their labels, and those with three mistakes."""
    random = np.random.default_rng(0)
    true = np.repeat([0, 1, 2], 40)
    features = random.normal(0, 1, (120, 8)).astype(np.float32)
    features[np.arange(120), true] += 6
    features[STRANGE, 3:] += 40
    y = true.copy()
    y[list(WRONG)] = (y[list(WRONG)] + 1) % 3
    return features, true, y


def folds_and_logits(splitter: Any, features: Any, y: Any) -> tuple[list[Any], list[Any]]:
    folds = list(splitter.split(features, y))
    heads = [LogisticRegression(max_iter=500).fit(features[train], y[train]) for train, _ in folds]
    logits = [
        head.decision_function(features[validation]).astype(np.float32)
        for head, (_, validation) in zip(heads, folds, strict=True)
    ]
    return folds, logits


def test_mistakes_and_strangers_come_first() -> None:
    features, true, y = planted()
    splitter = RepeatedStratifiedKFold(n_splits=4, n_repeats=3, random_state=0)
    found = find_doubts(y, *folds_and_logits(splitter, features, y), features)
    assert found["judged"] == found["compared"] == 120
    assert {position for position, _ in found["labels"][:3]} == set(WRONG)
    assert all(suggested == true[position] for position, suggested in found["labels"][:3])
    assert found["outliers"][0][0] == STRANGE
    assert found["outliers"][0][1] > 6


def test_only_what_was_left_out_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    features, _, y = planted()
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=60, random_state=0)
    folds, logits = folds_and_logits(splitter, features, y)
    monkeypatch.setattr(doubts, "MOST_COMPARED", 100)
    found = find_doubts(y, folds, logits, features)
    left_out = set(folds[0][1].tolist())
    assert found["judged"] == len(left_out) == 60
    assert {position for position, _ in found["labels"]} >= left_out & set(WRONG)
    assert {position for position, _ in found["labels"]} <= left_out
    assert (found["compared"], found["outliers"]) == (0, [])
