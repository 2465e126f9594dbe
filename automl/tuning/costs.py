"""Predicts what a trial takes, from what this run has measured so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from automl.components import EstimatorHead
from automl.plugins import PluginManager
from automl.training.composition import Composition, Network, network_of
from automl.training.cut import VIEWS
from automl.training.judging import TrialResult

GMACS_PER_SECOND = 50.0
"""A guess for one modern CPU with two cores; the first trial replaces it."""

IMAGE_SECONDS = 1e-4
"""What an image costs whatever the network."""

DECODING_SECONDS = 2e-3
"""A guess for decoding one image."""

VARYING_SECONDS = 4e-3
"""A guess for an augmented view of one image."""

TELLING_GMACS = 0.01
"""Networks smaller than this spend their time elsewhere and say nothing about others."""

TRAINING_FACTOR = {0.25: 1.5, 0.5: 3.0, 1.0: 7.0}
"""A training step, from a cut where there is one, in frozen passes, by the share of blocks."""

SCRATCH_FACTOR = 1.5
"""The same for networks made to be trained from scratch, whose dense convolutions run several
times faster than the pretrained networks' separable ones that the guess above is about."""

HEAD_SECONDS_PER_IMAGE = 1e-3
"""A guess for fitting a head on one fold, a linear SVM's path; logistic regression is quicker."""

RESTART_SECONDS = 8.0
"""A guess for starting the worker anew that gets all of the machine once the trials are over."""

FURTHER_SECONDS = 6.0
"""A guess for exporting each further network of a model: tracing and writing its graph takes as
long at any resolution."""

STEP_SECONDS = 4e-3
"""A guess for one step of gradient descent on a head alone, on frozen features."""


class _Pass(NamedTuple):
    """Images through one network: as they are, or all but the first of their `views`."""

    network: Network
    resolution: int
    images: int
    views: int
    mirrored: bool

    @property
    def runs(self) -> int:
        return max(1, self.views - 1)


@dataclass
class CostModel:
    """Predicted seconds of trials on one run's data.

    Attributes:
        manager: The plugins, which know what a network costs.
        images: Training images.
        folds: Validation folds in all.
        folds_to_train: Folds that judge what gradient descent trains.
        measures: Whether a network is measured before its first trial.
        workers: Trials that run at a time.
    """

    manager: PluginManager
    images: int
    folds: int
    folds_to_train: int
    measures: bool = False
    workers: int = 1
    _decoding: float | None = None
    _decoded: set[int] = field(default_factory=set)
    _measured: set[tuple[Any, ...]] = field(default_factory=set)
    _pace: dict[tuple[Any, ...], float] = field(default_factory=dict)
    _featured: set[_Pass] = field(default_factory=set)
    _activated: set[tuple[Any, ...]] = field(default_factory=set)
    _head: dict[tuple[Any, ...], float] = field(default_factory=dict)
    _training: dict[tuple[Any, ...], float] = field(default_factory=dict)

    def gmacs(self, values: Mapping[str, Any]) -> float:
        """Returns the billion multiply-adds an image, of all that the model runs."""
        return Composition.of(values).cost

    def image_seconds(self, values: Mapping[str, Any]) -> float:
        """Returns the seconds that one image takes through the whole model."""
        made = Composition.of(values)
        once = sum(self._pass_seconds(each, made.resolution) for each in made.networks)
        return 2 * once if made.mirrored else once

    def trial_seconds(self, values: Mapping[str, Any]) -> float:
        """Returns the seconds that judging a configuration takes."""
        seconds = self._decoding_seconds(values)
        if self.measures and self._network(values) not in self._measured:
            seconds += self._export_seconds(values)
        seconds += self._features_seconds(values)
        if float(values["unfreeze"]) > 0:
            share = 0.8 if self.folds > 1 else 1.0
            each = share * self._epochs_seconds(values)
            seconds += self._activation_seconds(values) + self._compile_seconds(values)
            return seconds + self.folds_to_train * each
        head = self.manager.heads[values["head"]]
        folds = self.folds if isinstance(head, EstimatorHead) else self.folds_to_train
        return seconds + folds * self._head_seconds(values)

    def refit_seconds(self, values: Mapping[str, Any]) -> float:
        """Returns the seconds that the last fit on all training images takes."""
        seconds = self._build_seconds(values)
        if float(values["unfreeze"]) > 0:
            return seconds + self._compile_seconds(values) + self._epochs_seconds(values)
        return seconds + 1.3 * self._head_seconds(values)

    def finish_seconds(self, values: Mapping[str, Any], test_images: int) -> float:
        """Returns the seconds for the export, its proof, the evaluation and the report."""
        seconds = self._export_seconds(values) + 1.3 * test_images * self.image_seconds(values)
        if self.workers > 1:
            seconds += RESTART_SECONDS
        if float(values.get("share", 1)) < 1:  # all images are decoded, to have the held-out ones
            seconds += self._decoding_seconds({**values, "share": 1})
        return seconds

    def knows_decoding(self, side: int) -> bool:
        """Says whether images have been decoded to `side` pixels before."""
        return side in self._decoded

    def learn_decoding(self, side: int, seconds: float) -> None:
        """Takes into account what decoding all images to `side` pixels took."""
        if side not in self._decoded:
            self._decoded.add(side)
            self._decoding = seconds

    def learn_measured(self, values: Mapping[str, Any]) -> None:
        """Takes into account that a network has been measured."""
        self._measured.add(self._network(values))

    def learn(self, values: Mapping[str, Any], result: TrialResult) -> None:
        """Takes a finished trial's seconds into account."""
        if result.features_seconds:
            self._learn_pace(self._missing(values) or self._passes(values), result)
        self._featured.update(self._passes(values))
        if float(values["unfreeze"]) > 0:
            self._activated.add(self._activation(values))
            compiling = self._compile_seconds(values) / result.folds
            training = max(0.2 * result.fold_seconds, result.fold_seconds - compiling)
            expected = 0.8 * self._epochs_seconds(values)
            known = self._training.get(self._family(values), 1.0)
            self._training[self._family(values)] = known * training / expected
        else:
            self._head[self._head_key(values)] = result.fold_seconds / self._head_work(values)

    def _images(self, values: Mapping[str, Any]) -> int:
        """Returns the training images that a configuration takes."""
        return max(1, round(float(values.get("share", 1)) * self.images))

    def _family(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return values["backbone"], values["depth"]

    def _network(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(network_of(values).values())

    def _passes(self, values: Mapping[str, Any]) -> list[_Pass]:
        """Returns what a configuration's frozen features take."""
        if not self._starts_frozen(values):
            return []
        made = Composition.of(values)
        return [
            _Pass(network, made.resolution, self._images(values), views, mirrored)
            for network in made.networks
            for views in sorted({1, _views(values)})
            for mirrored in ([False, True] if made.mirrored else [False])
        ]

    def _missing(self, values: Mapping[str, Any]) -> list[_Pass]:
        return [each for each in self._passes(values) if each not in self._featured]

    def _features_seconds(self, values: Mapping[str, Any]) -> float:
        """Building the networks and running them, as far as that was not done before."""
        missing = self._missing(values)
        networks = {(each.network, each.resolution) for each in missing}
        seconds = sum(_building(network, side) for network, side in networks)
        for each in missing:
            image = self._pass_seconds(each.network, each.resolution)
            image += VARYING_SECONDS if each.views > 1 else 0.0
            seconds += each.images * each.runs * image
        return seconds

    def _pass_seconds(self, network: Network, side: int) -> float:
        """Returns the seconds that one image takes through one network."""
        pace = self._pace.get((network.backbone, network.depth))
        if pace is None:
            pace = max(self._pace.values(), default=1.0 / GMACS_PER_SECOND)
        return network.cost(side) * pace + IMAGE_SECONDS

    def _learn_pace(self, passes: Sequence[_Pass], result: TrialResult) -> None:
        """Takes into account what networks took; views say little, as varying costs time too."""
        if any(each.views > 1 for each in passes):
            return
        work = sum(each.network.cost(each.resolution) for each in passes)
        each_image = result.features_seconds / passes[0].images
        seconds = max(0.0, each_image - len(passes) * IMAGE_SECONDS)
        for each in passes:
            if each.network.cost(each.resolution) >= TELLING_GMACS:
                self._pace[each.network.backbone, each.network.depth] = seconds / work

    def _activation(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        below = values["unfreeze"], values.get("augmentation"), self._images(values)
        return *self._network(values), *below

    def _starts_frozen(self, values: Mapping[str, Any]) -> bool:
        return float(values["unfreeze"]) == 0 or self._is_pretrained(values)

    def _is_pretrained(self, values: Mapping[str, Any]) -> bool:
        pretrained = self.manager.backbones[values["backbone"]].pretrained
        return pretrained and values.get("weights") != "random"

    def _build_seconds(self, values: Mapping[str, Any]) -> float:
        """Building the networks."""
        made = Composition.of(values)
        return sum(_building(network, made.resolution) for network in made.networks)

    def _export_seconds(self, values: Mapping[str, Any]) -> float:
        """Writing the SavedModel and loading it."""
        made = Composition.of(values)
        return 4.0 + 8.0 * made.cost + FURTHER_SECONDS * (len(made.networks) - 1)

    def _compile_seconds(self, values: Mapping[str, Any]) -> float:
        """Tracing a training step."""
        return min(3 + 8 * self.gmacs(values), 20.0)

    def _decoding_seconds(self, values: Mapping[str, Any]) -> float:
        if int(values["resolution"]) in self._decoded:
            return 0.0
        each = DECODING_SECONDS if self._decoding is None else self._decoding / self.images
        return self._images(values) * each

    def _activation_seconds(self, values: Mapping[str, Any]) -> float:
        """Running the blocks below a cut on every view of every image."""
        share = float(values["unfreeze"])
        if share >= 1 or not self._is_pretrained(values):
            return 0.0
        if self._activation(values) in self._activated:
            return 0.0
        views = 1 if values.get("augmentation") == "none" else VIEWS
        passes = views * self._images(values) * self.image_seconds(values)
        return self._build_seconds(values) + (1 - 0.5 * share) * passes

    def _head_seconds(self, values: Mapping[str, Any]) -> float:
        known = self._head.get(self._head_key(values))
        if known is None:
            # Another network may give more features than any so far, and each costs.
            like = [pace for key, pace in self._head.items() if key[0] == values["head"]]
            guess = STEP_SECONDS if self._is_layered(values) else HEAD_SECONDS_PER_IMAGE
            known = 1.5 * max(like) if like else guess
        return known * self._head_work(values)

    def _head_key(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return values["head"], *self._network(values), _views(values)

    def _head_work(self, values: Mapping[str, Any]) -> float:
        """Returns what fitting a head's seconds are in proportion to: steps, or images."""
        images = self._images(values) * _views(values)
        if not self._is_layered(values):
            return images * len(Composition.of(values).networks)
        return int(values["epochs"]) * max(1.0, images / int(values["batch_size"]))

    def _is_layered(self, values: Mapping[str, Any]) -> bool:
        return not isinstance(self.manager.heads[values["head"]], EstimatorHead)

    def _epochs_seconds(self, values: Mapping[str, Any]) -> float:
        factor = SCRATCH_FACTOR
        if self._is_pretrained(values):
            factor = TRAINING_FACTOR.get(float(values["unfreeze"]), 7.0)
        others = [v for key, v in self._training.items() if key[0] == values["backbone"]]
        measured = self._training.get(self._family(values), max(others, default=1.0))
        trained = int(values["epochs"]) * self._images(values)
        return trained * self.image_seconds(values) * factor * measured


def _views(values: Mapping[str, Any]) -> int:
    return int(values.get("views", 1))


def _building(network: Network, side: int) -> float:
    """Building a network, loading its weights and preparing the engine that runs it."""
    return min(0.5 + 6 * network.cost(side), 10.0)
