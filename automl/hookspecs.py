"""Every place where a plugin can add to automl, in the order of the pipeline.

A plugin is a module with functions of these names marked `@automl.hookimpl`, named in the
entry-point group `automl.plugins`. Importing it must import no framework: frameworks are
imported where a component is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from automl.components import (
        Augmentation,
        Backbone,
        Compute,
        Head,
        ImageSource,
        Observer,
        Runtime,
        SearchProvider,
        Strategy,
        Target,
    )

API_VERSION = 1
"""The version of this page. A plugin may state the one it was written for as `AUTOML_API`."""

hookspec = pluggy.HookspecMarker("automl")
hookimpl = pluggy.HookimplMarker("automl")


# --- Data ---------------------------------------------------------------------------------


@hookspec
def automl_image_sources(register: Callable[[ImageSource], None]) -> None:
    """Register places that images come from."""


@hookspec
def automl_search_providers(register: Callable[[SearchProvider], None]) -> None:
    """Register services that answer a text query with image addresses."""


# --- Models -------------------------------------------------------------------------------


@hookspec
def automl_backbones(register: Callable[[Backbone], None]) -> None:
    """Register network families that turn pixels into features."""


@hookspec
def automl_augmentations(register: Callable[[Augmentation], None]) -> None:
    """Register policies that vary training images."""


@hookspec
def automl_heads(register: Callable[[Head], None]) -> None:
    """Register classifiers on top of features."""


# --- Search -------------------------------------------------------------------------------


@hookspec
def automl_strategies(register: Callable[[Strategy], None]) -> None:
    """Register ways to choose the next trial."""


@hookspec
def automl_compute(register: Callable[[Compute], None]) -> None:
    """Register places where tasks run."""


# --- Serving ------------------------------------------------------------------------------


@hookspec
def automl_runtimes(register: Callable[[Runtime], None]) -> None:
    """Register engines that execute models: served ones, and frozen networks in a search."""


@hookspec
def automl_targets(register: Callable[[Target], None]) -> None:
    """Register places where a model is deployed."""


# --- Observers ----------------------------------------------------------------------------


@hookspec
def automl_observers(register: Callable[[Observer], None]) -> None:
    """Register what watches a search where a user asks for it; the hooks below always do."""


@hookspec
def automl_run_started(run: Mapping[str, Any]) -> None:
    """A run has begun; `run` is what its run.json holds."""


@hookspec
def automl_epoch_finished(
    run: Mapping[str, Any], trial: str, epoch: int, logs: Mapping[str, float]
) -> None:
    """A trial has finished an epoch; `logs` are Keras' own names and values."""


@hookspec
def automl_trial_finished(run: Mapping[str, Any], trial: Mapping[str, Any]) -> None:
    """A trial has ended, well or badly; `trial` is its row of the leaderboard."""


@hookspec
def automl_run_finished(run: Mapping[str, Any]) -> None:
    """A run has ended, its report written; `run` is what its run.json holds."""
