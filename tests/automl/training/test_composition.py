"""One model of several networks, and the features that heads are fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from automl.errors import UsageError
from automl.training.classifier import load_classifier
from automl.training.composition import ALONE, Composition, compose, network_named
from automl.training.forward import predict
from automl.training.frozen import FrozenNetworks
from automl.training.trial import Trial

LITE = {
    "backbone": "efficientnet-lite",
    "depth": 0,
    "resolution": 32,
    "weights": "pretrained",
    "unfreeze": 0.0,
    "head": "logistic",
}
SMALL = {"backbone": "small-cnn", "depth": 2, "resolution": 8, "unfreeze": 0.0}


def networks(data, **changes):
    return FrozenNetworks(
        Composition.of({**SMALL, **changes}), data, lambda total: lambda done: None
    )


@pytest.mark.parametrize("text", ["efficientnet-lite 2", " efficientnet-lite  2 "])
def test_a_network_by_its_name(text):
    network = network_named(text)
    assert (network.backbone, network.depth) == ("efficientnet-lite", 2)


@pytest.mark.parametrize("text", ["efficientnet-lite", "efficientnet-lite 9", "small-cnn 2", "2"])
def test_a_network_that_there_is_not(text):
    with pytest.raises(UsageError, match=r"^expected fusion to be a pretrained network"):
        network_named(text)


def test_it_survives_json():
    made = Composition.of({**LITE, "fusion": "efficientnet-lite 2", "mirror": "yes"})
    assert Composition.from_json(made.to_json()) == made
    assert len(made.networks) == 2
    assert made.mirrored


def test_it_costs_what_its_parts_do():
    alone, other = Composition.of(LITE), Composition.of({**LITE, "depth": 2})
    both = Composition.of({**LITE, "fusion": "efficientnet-lite 2"})
    assert both.cost == pytest.approx(alone.cost + other.cost)
    mirrored = Composition.of({**LITE, "fusion": ALONE, "mirror": "yes"})
    assert mirrored.cost == pytest.approx(2 * alone.cost)


def test_a_second_size_is_a_smaller_one():
    alone, larger = (Composition.of({**LITE, "resolution": side}) for side in (160, 224))
    both = Composition.of({**LITE, "resolution": 224, "scales": 2})
    assert both.cost == pytest.approx(larger.cost + alone.cost)
    joined = {**LITE, "fusion": "efficientnet-lite 2", "scales": 2}
    assert [each.smaller for each in Composition.of(joined).networks] == [False, False, True, True]


def test_what_includes_what():
    alone = Composition.of(LITE)
    both = Composition.of({**LITE, "fusion": "efficientnet-lite 2"})
    other = Composition.of({**LITE, "depth": 1})
    mirrored = Composition.of({**LITE, "mirror": "yes"})
    larger = Composition.of({**LITE, "resolution": 64})
    sizes = Composition.of({**LITE, "scales": 2})
    for made in (alone, both, mirrored, larger, sizes):
        assert made.includes(alone)
    for made in (alone, other, mirrored, larger):
        assert not made.includes(both)
    assert not other.includes(alone)
    assert not alone.includes(sizes)
    assert not alone.includes(larger)
    assert not both.includes(mirrored)


def test_networks_of_one_name_can_be_joined():
    from automl.plugins import plugin_manager

    backbone = plugin_manager().backbones["small-cnn"]
    first, second = (backbone.build(2, 8, None) for _ in range(2))
    images = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 3)).astype(np.float32)
    expected = np.concatenate([first(images), second(images)], axis=1)
    np.testing.assert_allclose(compose([first, second], False)(images), expected, atol=1e-4)


@pytest.mark.parametrize("scales", [1, 2])
@pytest.mark.parametrize("mirror", ["no", "yes"])
def test_what_is_kept_is_what_the_model_computes(make_data, mirror, scales):
    data = make_data(side=64, images=20)
    made = networks(data, resolution=64, mirror=mirror, scales=scales)
    features = made.features()
    model = made.model.predict(data.pixels[data.rows].astype(np.float32), verbose=0)
    np.testing.assert_allclose(features.values, model, atol=1e-4)
    turned = made.model.predict(data.pixels[data.rows][:, :, ::-1].astype(np.float32), verbose=0)
    assert np.allclose(turned, model, atol=1e-4) == (mirror == "yes")


def test_views_are_of_the_training_images_alone(make_data):
    data = make_data()
    plain, varied = networks(data).features(), networks(data).features(views=3)
    np.testing.assert_allclose(varied.values, plain.values, atol=1e-4)
    positions = np.array([4, 0, 9])
    x, y = varied.to_fit(positions, data.y)
    assert len(x) == 9
    assert y.tolist() == data.y[positions].tolist() * 3
    np.testing.assert_allclose(x[:3], plain.values[positions], atol=1e-4)
    for view in (x[3:6], x[6:]):
        assert np.abs(view - x[:3]).max() > 1e-3
    assert np.abs(x[3:6] - x[6:]).max() > 1e-3
    x, y = plain.to_fit(positions, data.y)
    np.testing.assert_array_equal(x, plain.values[positions])


def test_views_are_the_same_for_every_network(make_data):
    first, second = (networks(make_data()).features(views=2).varied for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.slow
def test_two_networks_from_judging_to_the_disk(make_data, tmp_path):
    data = make_data(side=64, images=60)
    own = {**LITE, "resolution": 64, "mirror": "yes"}
    joined = {**own, "fusion": "efficientnet-lite 2", "scales": 2, "views": 3}
    alone = [networks(data, **{**own, "depth": depth}).features(3) for depth in (0, 2)]
    trial = Trial(joined, data)
    result = trial.judge()
    assert result.score > 0.5
    assert set(joined) <= set(result.params)
    both = networks(data, **joined).features(3)
    for found, each in ((both.values, "values"), (both.varied, "varied")):
        large = np.concatenate([getattr(features, each) for features in alone], axis=1)
        assert found.shape == (len(large), 2 * large.shape[1])  # and those of the smaller size
        np.testing.assert_allclose(found[:, : large.shape[1]], large)
    model = trial.network.predict(data.pixels[data.rows].astype(np.float32), verbose=0)
    np.testing.assert_allclose(both.values, model, atol=1e-4)

    classifier = trial.refit(result.temperature)
    rows = np.arange(10)
    logits = predict(classifier.model, data.pixels, rows)
    classifier.save(tmp_path / "classifier")
    loaded = load_classifier(tmp_path / "classifier")
    assert loaded.composition == classifier.composition
    np.testing.assert_allclose(predict(loaded.model, data.pixels, rows), logits, atol=1e-4)


@pytest.mark.slow
def test_each_networks_features_are_kept_for_others(make_data):
    data = make_data(side=128, images=20)  # features are no larger than such pictures
    params = {**LITE, "resolution": 128}
    assert networks(data, **params).features().seconds > 0
    assert networks(data, **params).features().seconds == 0
    files = set(data.cache.features.iterdir())
    both = {**params, "fusion": "efficientnet-lite 1"}
    networks(data, **both).features()
    assert (
        len([path for path in set(data.cache.features.iterdir()) - files if path.suffix == ".npy"])
        == 1
    )
    assert networks(data, **both).features().seconds == 0
    assert networks(data, **params, mirror="yes").features().seconds > 0
    assert networks(data, **params, mirror="yes").features().seconds == 0
    assert networks(data, **params).features(views=3).seconds > 0
    assert networks(data, **params).features(views=3).seconds == 0
    assert networks(data, **params).features(views=2).seconds > 0
