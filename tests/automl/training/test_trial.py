"""One configuration from pixels to a classifier on the disk."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time

import numpy as np
import pytest

from automl.components import EstimatorHead
from automl.data.splits import validation_folds
from automl.errors import TrialError, UsageError
from automl.plugins import plugin_manager
from automl.training.classifier import load_classifier
from automl.training.finetuning import FineTuning, unfreeze
from automl.training.forward import predict
from automl.training.judging import Reports, folds_to_train
from automl.training.limits import Limits, TrialCancelledError, TrialDeadlineError
from automl.training.trial import Trial
from automl.training.tuning_inputs import TuningInputs

QUICK = ("logistic", "linear-svm", "linear", "tuned")
SLOW = ("mlp", "tuned, then logistic")


@pytest.mark.parametrize(
    "name",
    [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)],
)
def test_judged_refitted_saved_and_loaded(name, configurations, make_data, tmp_path):
    data, images, epochs = make_data(), [], []
    reports = Reports(lambda done, total: images.append((done, total)), lambda *e: epochs.append(e))
    trial = Trial(configurations[name], data, reports=reports)

    result = trial.judge()
    assert result.score > 0.8
    assert 0 < result.temperature <= 50
    assert 0 <= result.spread < 0.3
    assert result.log_loss > 0
    assert result.fold_seconds > 0
    assert set(configurations[name]) <= set(result.params)
    if isinstance(plugin_manager().heads[trial.params["head"]], EstimatorHead):
        assert result.params["C"] > 0
    if "epochs" in configurations[name]:
        assert [number for number, _ in epochs] == list(range(4))
    else:
        assert images[-1] == (110, 110)

    classifier = trial.refit(result.temperature)
    held_out = np.arange(10)
    logits = predict(classifier.model, data.pixels, held_out)
    assert logits.shape == (10, 4)
    classifier.save(tmp_path / "classifier")
    loaded = load_classifier(tmp_path / "classifier")
    np.testing.assert_allclose(predict(loaded.model, data.pixels, held_out), logits, atol=1e-4)
    assert loaded.temperature == result.temperature
    assert loaded.composition == classifier.composition


@pytest.mark.parametrize("name", ["tuned", "tuned, then logistic"])
def test_what_the_last_fold_left(name, configurations, make_data):
    data = make_data()
    trial = Trial(configurations[name], data)
    result = trial.judge()
    model = trial.as_judged(result.temperature).model
    _, validation = data.folds[-1]
    predicted = predict(model, data.pixels, data.rows[validation]).argmax(axis=1)
    assert np.mean(predicted == data.y[validation]) == pytest.approx(result.accuracy, abs=0.15)
    refitted = trial.refit(result.temperature).model
    fresh = Trial(result.params, data).refit(result.temperature).model
    np.testing.assert_allclose(
        predict(refitted, data.pixels, np.arange(10)),
        predict(fresh, data.pixels, np.arange(10)),
        atol=1e-3,
    )


def test_a_frozen_network_leaves_nothing_that_was_trained(configurations, make_data):
    trial = Trial(configurations["logistic"], make_data())
    assert trial.as_judged(trial.judge().temperature) is None


def test_the_same_trial_twice_gives_the_same(configurations, make_data):
    first, second = (Trial(configurations["linear"], make_data()).judge() for _ in range(2))
    assert first.score == second.score
    assert first.log_loss == pytest.approx(second.log_loss, rel=1e-4)


def test_a_refit_repeats_what_was_chosen(configurations, make_data):
    trial = Trial(configurations["logistic"], make_data())
    chosen = trial.judge().params
    again = Trial(chosen, make_data())
    assert again.judge().params == chosen


def make_tuning(params, data):
    import keras

    keras.utils.set_random_seed(0)
    manager = plugin_manager()
    backbone = manager.backbones["small-cnn"]
    network = backbone.build(2, 8, None)
    layers = manager.heads["linear"].layers(network.output_shape[-1], 4, params)
    augmentation = manager.augmentations[params["augmentation"]].layers(params, 0)
    inputs = TuningInputs(data.pixels, np.arange(len(data.pixels)), network, layers=augmentation)
    return FineTuning(backbone, network, layers, inputs, params, 0, pretrained=False)


def run(tuning, data, rows):
    tuning.run(rows, data.y[rows - 10], 4, None, Limits(), lambda *e: None)
    return tuning.logits(np.arange(10))


def test_folds_do_not_learn_from_one_another(tuned, make_data):
    """Weights, batch statistics, momentum and schedule begin anew with every run."""
    data = make_data()
    tuning = make_tuning(tuned, data)
    first = run(tuning, data, data.rows[:60])
    other = run(tuning, data, data.rows[50:])
    assert np.abs(first - other).max() > 0.1
    np.testing.assert_allclose(run(tuning, data, data.rows[:60]), first, atol=1e-3)


@pytest.mark.slow
def test_augmentation_changes_what_is_learned(tuned, make_data):
    data = make_data()
    plain = run(make_tuning(tuned, data), data, data.rows)
    varied = run(make_tuning({**tuned, "augmentation": "flip-crop"}, data), data, data.rows)
    assert np.abs(plain - varied).max() > 0.05


@pytest.mark.parametrize(("share", "blocks"), [(0.0, 0), (0.25, 1), (0.5, 1), (1.0, 2)])
def test_unfreezing_trains_whole_blocks_from_the_end(share, blocks):
    backbone = plugin_manager().backbones["small-cnn"]
    network = backbone.build(2, 8, None)
    unfreeze(backbone, network, share)
    groups = backbone.blocks(network)
    trained = {name for group in groups[len(groups) - blocks :] for name in group}
    assert {layer.name for layer in network.layers if layer.trainable} == trained


@pytest.mark.parametrize("name", ["linear", "tuned"])
def test_a_loss_that_is_no_number(name, configurations, make_data):
    params = {**configurations[name], "optimizer": "sgd", "lr": 1e30, "schedule": "constant"}
    with pytest.raises(TrialError, match="finite loss"):
        Trial(params, make_data()).judge()


def test_more_than_the_time_left(configurations, make_data):
    params = {**configurations["linear"], "epochs": 1_000_000}
    with pytest.raises(TrialDeadlineError, match="larger budget"):
        Trial(params, make_data(), Limits(time.monotonic() + 1.0)).judge()


class Nearing(Limits):
    """A deadline that is far away while a step is compiled, and comes near after an epoch."""

    def shared_by(self, tasks):
        return self

    def on_epoch(self, number, logs):
        if number == 0:
            object.__setattr__(self, "deadline", time.monotonic() + 0.5)


def test_fine_tuning_that_has_not_the_time_is_cut_short(tuned, make_data):
    limits = Nearing()
    reports = Reports(on_epoch=limits.on_epoch)
    trial = Trial({**tuned, "epochs": 1_000_000}, make_data(folds=1), limits, reports)
    result = trial.judge()
    assert 1 <= result.params["epochs"] < 1_000_000
    assert result.score > 0.25  # chance
    assert trial.as_judged(result.temperature) is not None


def test_cancelled_while_it_trains(configurations, make_data):
    epochs = []
    limits = Limits(cancelled=lambda: len(epochs) > 1)
    reports = Reports(on_epoch=lambda number, logs: epochs.append(number))
    with pytest.raises(TrialCancelledError):
        Trial(configurations["linear"], make_data(), limits, reports).judge()
    assert len(epochs) == 2


@pytest.mark.parametrize(
    "do", [Trial.judge, lambda trial: trial.refit(1.0)], ids=["judge", "refit"]
)
def test_one_that_was_cut_off_goes_on_where_it_was(do, tuned, make_data, tmp_path):
    def run(progress, cut_off_after=None, reported=0):
        epochs = []
        limits = Limits(cancelled=lambda: len(epochs) == cut_off_after)
        reports = Reports(
            on_epoch=lambda number, logs: epochs.append((number, logs["loss"])), reported=reported
        )
        trial = Trial(tuned, make_data(folds=1), limits, reports, progress)
        with contextlib.suppress(TrialCancelledError):
            do(trial)
        return epochs, predict(trial.network, trial.data.pixels, np.arange(10))

    expected, features = run(tmp_path / "undisturbed")
    begun, _ = run(tmp_path / "progress", cut_off_after=2)
    rest, same = run(tmp_path / "progress", reported=2)
    assert [number for number, _ in begun] == [0, 1]
    assert [number for number, _ in rest] == [2, 3]
    for (_, loss), (_, undisturbed) in zip(begun + rest, expected, strict=True):
        assert loss == pytest.approx(undisturbed, rel=1e-4)
    np.testing.assert_allclose(same, features, atol=1e-3)
    again, unchanged = run(tmp_path / "progress", reported=4)
    assert again == []
    np.testing.assert_allclose(unchanged, same, atol=1e-5)


def test_epochs_that_nobody_heard_of_are_reported_again(tuned, make_data, tmp_path):
    """As when the driver is killed between an epoch's end and its entry in the log."""

    def run(cut_off_after=None, reported=0):
        epochs = []
        limits = Limits(cancelled=lambda: len(epochs) == cut_off_after)
        reports = Reports(on_epoch=lambda *epoch: epochs.append(epoch), reported=reported)
        with contextlib.suppress(TrialCancelledError):
            Trial(tuned, make_data(), limits, reports, tmp_path / "progress").judge()
        return epochs

    begun = run(cut_off_after=3)
    rest = run(reported=1)
    assert rest[:2] == begun[1:]
    assert [number for number, _ in rest] == [1, 2, 3]
    assert run(reported=3) == rest[2:]


def test_unknown_optimizer(configurations, make_data):
    with pytest.raises(UsageError, match="found 'adam'"):
        Trial({**configurations["linear"], "optimizer": "adam"}, make_data()).judge()


def test_cancelled_while_features_are_made(configurations, make_data):
    with pytest.raises(TrialCancelledError):
        Trial(configurations["logistic"], make_data(), Limits(cancelled=lambda: True)).judge()


def test_gradient_descent_is_judged_on_enough_images_and_no_repetitions():
    def folds(count, size, repeats=1):
        return [
            (np.arange(0), np.arange(i * size, (i + 1) * size))
            for _ in range(repeats)
            for i in range(count)
        ]

    assert folds_to_train(folds(5, 20, repeats=4)) == 5
    assert folds_to_train(folds(5, 100)) == 2
    assert folds_to_train(folds(5, 500)) == 1
    assert folds_to_train(folds(1, 10)) == 1


@pytest.mark.slow
def test_fine_tuning_a_pretrained_network(tuned, make_data, tmp_path):
    """Blocks below the cut and batch statistics stay; what is saved is what was judged."""
    backbone = plugin_manager().backbones["efficientnet-lite"]
    side = min(backbone.resolutions_for(0))
    data = make_data(side, images=60)
    params = {
        **tuned,
        "backbone": "efficientnet-lite",
        "depth": 0,
        "resolution": side,
        "weights": "pretrained",
        "unfreeze": 0.25,
        "lr": 1e-3,
        "epochs": 3,
        "batch_size": 20,
    }
    trial = Trial(params, data)
    assert trial.judge().score > 0.4  # chance is 0.25, and digits are no photos
    fresh = backbone.build(0, side, "pretrained")
    classifier = trial.refit(1.5)
    trained = {layer.name: layer for layer in trial.network.layers}
    groups = backbone.blocks(fresh)
    above = {name for group in groups[-math.ceil(0.25 * len(groups)) :] for name in group}
    changed = 0
    for layer in fresh.layers:
        for before, after in zip(layer.weights, trained[layer.name].weights, strict=True):
            same = np.array_equal(before.numpy(), after.numpy())
            assert same or (layer.name in above and "moving" not in before.name)
            changed += not same
    assert changed
    rows = np.arange(10)
    logits = predict(classifier.model, data.pixels, rows)
    classifier.save(tmp_path / "classifier")
    loaded = load_classifier(tmp_path / "classifier")
    np.testing.assert_allclose(predict(loaded.model, data.pixels, rows), logits, atol=1e-4)


def test_a_time_that_is_over_ends_the_work_between_steps(configurations, make_data):
    for name in ("logistic", "linear"):
        with pytest.raises(TrialDeadlineError, match="larger budget"):
            Trial(configurations[name], make_data(), Limits(time.monotonic() - 1)).judge()


def test_a_class_that_a_fold_could_not_learn_does_not_spoil_the_temperature(
    configurations, make_data
):
    def judged(tiny):
        data = make_data()
        y = data.y.copy()
        y[tiny] = 4  # a class of as many images as there are numbers here
        folds = validation_folds(y, 0)[:5]
        data = dataclasses.replace(data, y=y, classes=5, folds=folds)
        return Trial(configurations["logistic"], data).judge()

    assert judged([3, 7]).temperature == pytest.approx(judged([]).temperature, rel=0.5)
    assert judged([3, 7]).log_loss < 3 * judged([]).log_loss
