"""What this run has shown of each kind of trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl_plugins.strategies.configurations import Values
from automl_plugins.strategies.staged_recipes import EXTRAS, RELIEF


def expected_reliefs(
    ended: Sequence[Any], preferred: Sequence[Values], share: float
) -> dict[str, float]:
    """Returns the relief to expect of each kind: the usual one, and this run's, averaged.

    Args:
        ended: The completed trials, as Keras Tuner has them, in the order in which they ended.
        preferred: Every network at its preferred resolution.
        share: Of the images that are to learn from, what a trial on all of them takes.
    """
    usual = {family(values): values for values in preferred}
    seen: dict[str, list[float]] = {kind: [relief] for kind, relief in RELIEF.items()}
    error, tried = None, set[tuple[Any, ...]]()
    for number, trial in enumerate(ended):
        values, found = trial.hyperparameters.values, max(1 - trial.score, 1e-6)
        base = best_frozen(ended[:number], share).get(family(values))
        if error is not None:
            kind, before = _kind(values, usual, tried), error
            smaller = [each for each in ended[:number] if _is_sample_of(each, values)]
            if smaller:
                kind, before = "share", max(1 - smaller[-1].score, 1e-6)
            extra = _added(values, base.hyperparameters.values) if base else None
            if base and extra:
                kind, before = extra, max(1 - base.score, 1e-6)
            seen[kind].append(max(0.0, (before - found) / before))
        error = found if error is None else min(error, found)
        tried.add(family(values))
    return {kind: sum(values) / len(values) for kind, values in seen.items()}


def family(values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Returns what names a network, whatever its resolution."""
    return values["backbone"], values["depth"]


def best_frozen(trials: Sequence[Any], share: float) -> dict[tuple[Any, ...], Any]:
    """Returns each network's best trial on that share of the images, to join extras to."""
    best: dict[tuple[Any, ...], Any] = {}
    for trial in sorted(trials, key=lambda trial: -trial.score):
        values = trial.hyperparameters.values
        if EXTRAS.keys() & values.keys() and values["share"] == share:
            best.setdefault(family(values), trial)
    return best


def _is_sample_of(trial: Any, values: Mapping[str, Any]) -> bool:
    """Says whether a trial is the same as `values`, on fewer of the images."""
    found = trial.hyperparameters.values
    return found["share"] < values["share"] and {**found, "share": 1} == {**values, "share": 1}


def _added(values: Mapping[str, Any], base: Mapping[str, Any]) -> str | None:
    """Returns the extra that `values` have beyond `base`, if any."""
    added = (name for name in EXTRAS if values.get(name, EXTRAS[name]) != EXTRAS[name])
    return next((name for name in added if values[name] != base.get(name)), None)


def _kind(
    values: Mapping[str, Any],
    usual: Mapping[tuple[Any, ...], Values],
    tried: set[tuple[Any, ...]],
) -> str:
    preferred = usual[family(values)]
    if preferred["unfreeze"] > 0:
        return "scratch"
    if values["unfreeze"] > 0:
        return "tune"
    if values["head"] != preferred["head"]:
        return "head"
    return "resolution" if family(values) in tried else "network"
