"""One trial: fits one configuration on the folds and judges it, and later on everything.

All configurations go the same way. A pretrained or fixed backbone's frozen features come
first, and a head is fitted on them, which is all there is to do where nothing is unfrozen.
Otherwise that head is where fine-tuning starts (linear probe, then fine-tuning: Kumar et
al., 2022, arXiv 2202.10054), and an estimator head is fitted again on the tuned features.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.components import EstimatorHead, FittedHead, LayersHead, Precision
from automl.plugins import plugin_manager
from automl.training.classifier import Classifier, assemble
from automl.training.composition import Composition
from automl.training.data import TrainingData
from automl.training.doubts import find_doubts
from automl.training.features import Features
from automl.training.finetuning import FineTuning
from automl.training.fitting import EpochReport
from automl.training.frozen import FrozenNetworks
from automl.training.heads import PROBE, fit_head, head_settings, probe_head
from automl.training.judging import Reports, TrialResult, folds_to_train, judged
from automl.training.limits import Limits
from automl.training.milestone import Milestone
from automl.training.precision import training_precision
from automl.training.threads import several_at_a_time
from automl.training.tuning_inputs import tuning_inputs
from automl.training.validation import Validation

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]
    Logits = list[list[Floats]]


class Trial:
    """One configuration on one run's data.

    Attributes:
        data: What it is fitted and judged on.
        params: The hyperparameters by dimension; `judge` replaces those that the trial itself
            compares, such as a regularisation path, by the best.
        precision: That the network computes in; its weights are float32.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        data: TrainingData,
        limits: Limits | None = None,
        reports: Reports | None = None,
        progress: Path | None = None,
        precision: Precision | None = None,
    ) -> None:
        """Makes the trial.

        Args:
            params: The hyperparameters by dimension.
            data: What it is fitted and judged on.
            limits: What it must keep to.
            reports: Where it reports what it is doing.
            progress: A folder that keeps how far its training has come; a trial of the same
                configuration on the same data goes on from there.
            precision: Of fine-tuning; by default what suits the machine. Frozen features, which
                several trials share, are always float32.
        """
        manager = plugin_manager()
        self.params = dict(params)
        self.data = data
        self._limits = limits or Limits()
        self._reports = reports or Reports()
        self._progress = progress
        self._backbone = manager.backbones[self.params["backbone"]]
        self._head = manager.heads[self.params["head"]]
        self._composition = Composition.of(self.params)
        own = self._composition.networks[0]
        self._pretrained = self._backbone.pretrained and own.weights is not None
        self._tuned = float(self.params["unfreeze"]) > 0
        tuned_in = precision or training_precision() if self._tuned else "float32"
        self.precision: Precision = tuned_in
        self._networks = self._new_networks()
        self._last_heads: Sequence[FittedHead] = ()
        self._last_layers: Sequence[keras.layers.Layer] = ()

    def judge(self, doubting: bool = False) -> TrialResult:
        """Fits on the folds and scores what was left out.

        Args:
            doubting: Whether a head on frozen features is to say which images it doubts.

        Raises:
            TrialError: If it cannot be done within the limits.
            WeightsUnavailableError: If the weights cannot be had.
        """
        features = self._frozen_features()
        folds = list(self.data.folds)
        if self._tuned or isinstance(self._head, LayersHead):
            folds = folds[: folds_to_train(folds)]
        settings = head_settings(self._head, self.params)
        begun = time.monotonic()
        if self._tuned:
            tuning = self._tuning()
            prepared = time.monotonic()
            logits = self._tune_folds(tuning, folds, settings, features)
        else:
            prepared = begun
            logits = self._fit_folds(folds, settings, features)
        seconds = (time.monotonic() - prepared) / len(folds)
        found = [judged(self.data.y, folds, values) for values in logits]
        best = max(range(len(settings)), key=lambda i: (found[i].score, -found[i].log_loss))
        self.params.update(settings[best])
        if self._tuned:
            heads = self._last_heads
            self._last_layers = self._on_network(heads[best]) if heads else tuning.head_layers
        return dataclasses.replace(
            found[best],
            params=self.params,
            features_seconds=features.seconds if features else 0.0,
            preparing_seconds=prepared - begun,
            fold_seconds=seconds,
            doubts=find_doubts(self.data.y, folds, logits[best], features.values)
            if doubting and features and not self._tuned
            else None,
        )

    def as_judged(self, temperature: float) -> Classifier | None:
        """Returns what the last fold's training left; `None` where no network was trained.

        It has seen all training images but that fold's validation images: worth keeping where
        there is no time to train on all of them.
        """
        return self._classifier(self._last_layers, temperature) if self._last_layers else None

    def refit(self, temperature: float) -> Classifier:
        """Fits the configuration on all training images."""
        if self._tuned:
            self._networks = self._new_networks()  # what a fold has trained is no place to begin
        features = self._frozen_features()
        everything = np.arange(len(self.data.rows))
        if self._tuned:
            tuning = self._tuning()
            begun = Milestone.load(self._progress, 1) if self._progress else None

            def on_epoch(epoch: int, logs: Mapping[str, float]) -> None:
                if self._progress:
                    tuning.milestone([], epoch + 1).save(self._progress)
                self._reports.on_epoch(epoch, logs)

            self._tune(tuning, everything, features, on_epoch, begun)
            layers = tuning.head_layers
            if isinstance(self._head, EstimatorHead):
                tuned = Features(tuning.features(everything))
                layers = self._on_network(self._fit([self.params], everything, tuned)[0])
        else:
            assert features is not None
            layers = self._on_network(self._fit([self.params], everything, features)[0])
        return self._classifier(layers, temperature)

    def _classifier(self, layers: Sequence[keras.layers.Layer], temperature: float) -> Classifier:
        import keras

        return Classifier(
            composition=self._composition,
            model=assemble(self.network, layers),
            head=[keras.layers.serialize(layer) for layer in layers],
            temperature=temperature,
        )

    @property
    def network(self) -> keras.Model:
        """The network, built at the first use."""
        return self._networks.model

    def _new_networks(self) -> FrozenNetworks:
        return FrozenNetworks(self._composition, self.data, self._count, self.precision)

    def _frozen_features(self) -> Features | None:
        """Returns features, or `None` for a network that is trained from random weights."""
        if self._tuned and not self._pretrained:
            return None
        return self._networks.features(int(self.params.get("views", 1)))

    def _count(self, total: int) -> Callable[[int], None]:
        def progress(done: int) -> None:
            self._limits.check()
            self._reports.on_images(done, total)

        return progress

    def _fit_folds(
        self,
        folds: Sequence[tuple[Rows, Rows]],
        settings: Sequence[Mapping[str, Any]],
        features: Features | None,
    ) -> Logits:
        assert features is not None
        logits: Logits = [[] for _ in settings]

        def fit(number: int) -> list[Floats]:
            self._limits.check()
            train, validation = folds[number]
            report = [self._reports.on_epoch] if number == 0 else []
            fitted = self._fit(settings, train, features, *report)
            return [head.logits(features.values[validation]) for head in fitted]

        with several_at_a_time(len(folds) if isinstance(self._head, EstimatorHead) else 1) as each:
            for found in each(fit, range(len(folds))):
                for i, values in enumerate(found):
                    logits[i].append(values)
        return logits

    def _fit(
        self,
        settings: Sequence[Mapping[str, Any]],
        positions: Rows,
        features: Features,
        on_epoch: EpochReport = lambda epoch, logs: None,
    ) -> list[FittedHead]:
        """Fits the head on the features at `positions`, once a setting."""
        data = self.data
        values, y = features.to_fit(positions, data.y)
        return fit_head(
            self._head,
            values,
            y,
            data.classes,
            settings,
            data.seed,
            self._limits,
            on_epoch,
        )

    def _on_network(self, fitted: FittedHead) -> Sequence[keras.layers.Layer]:
        """Returns the fitted head as layers with its weights, built for this network."""
        layers = fitted.layers()
        assemble(self.network, layers)
        fitted.load(layers)
        return layers

    def _tune_folds(
        self,
        tuning: FineTuning,
        folds: Sequence[tuple[Rows, Rows]],
        settings: Sequence[Mapping[str, Any]],
        features: Features | None,
    ) -> Logits:
        data, folder = self.data, self._progress
        begun = Milestone.load(folder, len(settings)) if folder else None
        logits: Logits = [list(done) for done in begun.logits] if begun else [[] for _ in settings]
        history = list(begun.history) if begun else []
        for epoch in range(self._reports.reported, len(history)):
            self._reports.on_epoch(epoch, history[epoch])
        for number, (train, validation) in enumerate(folds):
            if number < len(logits[0]):
                continue
            watch = Validation(tuning, data.y, validation)
            first = number == 0

            def on_epoch(
                epoch: int, logs: Mapping[str, float], watch: Any = watch, reports: bool = first
            ) -> None:
                if reports:
                    history.append(watch.logged(logs))
                if folder:
                    tuning.milestone(logits, epoch + 1, history).save(folder)
                if reports:
                    self._reports.on_epoch(epoch, history[-1])

            # The further folds are trained for as long as the first, or less long. An estimator
            # is fitted after that, on features of all images.
            each = 1.0 if isinstance(self._head, LayersHead) else 1.3
            limits = self._limits.shared_by(each * (len(folds) - number))
            self.params["epochs"] = self._tune(tuning, train, features, on_epoch, begun, limits)
            begun = None
            if isinstance(self._head, EstimatorHead):
                values = tuning.features(np.arange(len(data.rows)))
                self._last_heads = self._fit(settings, train, Features(values))
                for i, head in enumerate(self._last_heads):
                    logits[i].append(head.logits(values[validation]))
            else:
                logits[0].append(watch.logits())
        return logits

    def _tuning(self) -> FineTuning:
        head = self._head
        if not isinstance(head, LayersHead):
            # What is tuned under an estimator is a linear head; the estimator comes after.
            head = _linear_head()
        width = int(self.network.output_shape[-1])
        inputs = tuning_inputs(
            self.params, self.data, self._networks, self.precision, self._pretrained, self._count
        )
        return FineTuning(
            self._backbone,
            self.network,
            head.layers(width, self.data.classes, self.params),
            inputs,
            self.params,
            self.data.seed,
            self._pretrained,
        )

    def _tune(
        self,
        tuning: FineTuning,
        positions: Rows,
        features: Features | None,
        on_epoch: EpochReport,
        begun: Milestone | None = None,
        limits: Limits | None = None,
    ) -> int:
        """Trains the network from a fitted head on, within `limits` where they may cut it short.

        Returns:
            The epochs that it was trained for.
        """
        data = self.data
        start = None
        if features is not None and begun is None:
            head = probe_head(tuning.head_layers, self._head)
            start = fit_head(
                head,
                features.values[positions],
                data.y[positions],
                data.classes,
                [{**self.params, **PROBE}],
                data.seed,
                self._limits,
            )[0]
        return tuning.run(
            positions,
            data.y[positions],
            data.classes,
            start,
            limits or self._limits,
            on_epoch,
            begun,
            shorten=limits is not None,
        )


def _linear_head() -> LayersHead:
    head = plugin_manager().heads["linear"]
    assert isinstance(head, LayersHead)
    return head
