"""The contract of a strategy."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any

from automl.components import Strategy, StrategyContext
from automl.components.strategy import OBJECTIVE
from automl.plugins import plugin_manager
from automl.testing.expect import check_name, expect

TRIALS = 6
SIDE = 32
PINS = {"head": "linear"}


def check_strategy(strategy: Strategy) -> None:
    """Drives a strategy's oracle through a small search, one trial of which fails.

    The space is a search's own, of the installed backbones that need no pretrained weights.

    Raises:
        AssertionError: With one sentence, if the contract is broken.
    """
    name = check_name(strategy)
    first = _drive(strategy)
    expect(first, f"expected {name} to make at least one trial, found none.")
    expect(
        len(first) <= TRIALS,
        f"expected {name} to make at most {TRIALS} trials, found {len(first)}.",
    )
    for values in first:
        expect(
            _is_in_space(values),
            f"expected {name} to draw from the space and to keep pins, found {values}.",
        )
    second = _drive(strategy)
    expect(
        first == second,
        f"expected {name} to make the same trials for the same seed and scores, found others.",
    )


def _drive(strategy: Strategy) -> list[Mapping[str, Any]]:
    """Returns the values of the trials that the strategy makes."""
    from automl.tuning.candidates import Candidate
    from automl.tuning.space import build_space

    manager = plugin_manager()
    candidates = [
        Candidate(backbone, backbone.depths)
        for backbone in manager.backbones
        if not backbone.pretrained
    ]
    oracle = strategy.oracle(
        StrategyContext(
            space=build_space(manager, candidates, PINS, SIDE),
            max_trials=TRIALS,
            seed=3,
            cost=lambda values: 1.0,
            affordable=lambda values: True,
        )
    )
    made: list[Mapping[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        oracle._set_project_dir(folder, "check")
        # Twice the limit, so that an oracle that never stops is seen to go too far.
        for index in range(2 * TRIALS):
            trial = oracle.create_trial("tuner0")
            if trial.status in ("STOPPED", "IDLE"):
                break
            made.append(dict(trial.hyperparameters.values))
            if index == 1:
                trial.status = "INVALID"
                trial.message = "made to fail by the check"
            else:
                oracle.update_trial(trial.trial_id, {OBJECTIVE: 0.5 + index / 100})
                trial.status = "COMPLETED"
            oracle.end_trial(trial)
    return made


def _is_in_space(values: Mapping[str, Any]) -> bool:
    backbones = plugin_manager().backbones
    if values.get("backbone") not in backbones or values.get("head") != PINS["head"]:
        return False
    backbone = backbones[values["backbone"]]
    return (
        not backbone.pretrained
        and values.get("depth") in backbone.depths
        and values.get("resolution") in backbone.resolutions_for(values["depth"])
    )
