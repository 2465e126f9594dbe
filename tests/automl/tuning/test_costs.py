"""What trials are predicted to take."""

from __future__ import annotations

import pytest

from automl.plugins import plugin_manager
from automl.training.judging import TrialResult
from automl.tuning.costs import CostModel

LITE = {"backbone": "efficientnet-lite", "depth": 0, "resolution": 224, "head": "logistic"}
FROZEN = {**LITE, "unfreeze": 0.0}
TUNED = {**LITE, "head": "linear", "unfreeze": 0.5, "epochs": 10}


@pytest.fixture
def costs():
    model = CostModel(plugin_manager(), images=1000, folds=5, folds_to_train=2)
    model.learn_decoding(224, 4.0)
    return model


def result(features=0.0, fold=1.0, folds=5):
    return TrialResult(0.5, 0.1, 0.5, 1.0, 1.0, folds, features_seconds=features, fold_seconds=fold)


@pytest.mark.parametrize(
    ("cheaper", "dearer"),
    [
        (FROZEN, {**FROZEN, "resolution": 256}),
        (FROZEN, {**FROZEN, "depth": 2}),
        ({**FROZEN, "backbone": "pixels", "depth": 0, "resolution": 16}, FROZEN),
        (FROZEN, TUNED),
        (FROZEN, {**FROZEN, "fusion": "efficientnet-lite 2"}),
        (FROZEN, {**FROZEN, "views": 5}),
        (FROZEN, {**FROZEN, "mirror": "yes"}),
        (FROZEN, {**FROZEN, "scales": 2}),
        ({**FROZEN, "views": 5}, {**FROZEN, "views": 5, "mirror": "yes"}),
        (TUNED, {**TUNED, "epochs": 20}),
        (TUNED, {**TUNED, "unfreeze": 1.0}),
        (TUNED, {**TUNED, "unfreeze": 0.6}),
    ],
    ids=str,
)
def test_what_is_more_costs_more(costs, cheaper, dearer):
    assert 0 < costs.trial_seconds(cheaper) <= costs.trial_seconds(dearer)
    assert 0 < costs.refit_seconds(cheaper) <= costs.refit_seconds(dearer)


def test_more_images_cost_more():
    few, many = (CostModel(plugin_manager(), images, 5, 2) for images in (100, 10_000))
    for values in (FROZEN, TUNED):
        assert few.trial_seconds(values) < many.trial_seconds(values)


def test_features_are_paid_for_once(costs):
    before = costs.trial_seconds(FROZEN)
    costs.learn(FROZEN, result(features=30.0, fold=0.5))
    assert costs.trial_seconds(FROZEN) == pytest.approx(2.5)
    assert costs.trial_seconds({**FROZEN, "head": "linear-svm"}) < before


@pytest.mark.parametrize("changes", [{"views": 5}, {"mirror": "yes"}, {"depth": 2}], ids=str)
def test_only_what_was_not_run_is_paid_for(costs, changes):
    plain = {**FROZEN, "weights": "pretrained"}
    joined = {**plain, **changes}
    if "depth" in changes:
        joined = {**plain, "fusion": "efficientnet-lite 2"}
    whole = costs.trial_seconds(joined)
    costs.learn(plain, result(fold=0.001))
    rest = costs.trial_seconds(joined)
    assert rest < whole
    costs.learn(joined, result(fold=0.001))
    assert costs.trial_seconds(joined) < rest
    # Of two networks, each is known by itself now.
    if "depth" in changes:
        alone = costs.trial_seconds({**plain, "depth": 2, "fusion": "none"})
        assert alone < costs.trial_seconds({**plain, "depth": 1, "fusion": "none"})


def test_another_network_takes_longer_to_export_at_any_resolution(costs):
    small = {**FROZEN, "resolution": 32}
    joined = {**small, "fusion": "efficientnet-lite 0"}
    assert costs.finish_seconds(joined, 10) > costs.finish_seconds(small, 10) + 3


def test_a_mirrored_model_holds_its_network_once(costs):
    small = {**FROZEN, "resolution": 32}
    mirrored = {**small, "mirror": "yes"}
    assert costs.finish_seconds(mirrored, 10) < costs.finish_seconds(small, 10) + 1


def test_the_pace_of_a_network_is_found_in_company(costs):
    plain = {**FROZEN, "weights": "pretrained"}
    costs.learn(plain, result(features=5.0))
    other = {**plain, "depth": 2, "fusion": "none"}
    before = costs.trial_seconds(other)
    costs.learn({**plain, "fusion": "efficientnet-lite 2"}, result(features=500.0))
    assert costs.image_seconds(other) == pytest.approx(0.5, rel=0.01)
    assert costs.trial_seconds({**other, "resolution": 260}) > before
    assert costs.image_seconds(plain) == pytest.approx(0.005, rel=0.01)


def test_another_resolution_is_decoded_first(costs):
    costs.learn(FROZEN, result(features=30.0))
    smaller = {**FROZEN, "resolution": 192}
    before = costs.trial_seconds(smaller)
    costs.learn_decoding(192, 3.0)
    assert costs.trial_seconds(smaller) == pytest.approx(before - 4.0)


def test_a_measured_pace_holds_for_other_networks_too(costs):
    larger = {**FROZEN, "depth": 2}
    costs.learn(FROZEN, result(features=10.0))
    fast = costs.trial_seconds(larger)
    costs.learn(FROZEN, result(features=1000.0))
    assert costs.trial_seconds(larger) > 20 * fast


def test_a_measured_training_step_holds_for_later_ones(costs):
    costs.learn(FROZEN, result(features=10.0))
    before = costs.trial_seconds(TUNED)
    costs.learn(TUNED, result(fold=before, folds=2))  # twice what was predicted
    assert costs.trial_seconds(TUNED) > 1.2 * before


def test_a_network_without_cost_is_no_division_by_zero(costs):
    pixels = {**FROZEN, "backbone": "pixels", "depth": 0, "resolution": 8}
    costs.learn(pixels, result(features=0.01))
    assert costs.trial_seconds(pixels) > 0
    assert costs.trial_seconds(FROZEN) > 1
