"""Fine-tuning from a cut is fine-tuning of the whole network, only sooner."""

from __future__ import annotations

import shutil
import time

import keras_tuner
import numpy as np
import pytest

from automl.cache import Cache
from automl.plugins import plugin_manager
from automl.training.batches import Batches
from automl.training.cut import activations, cut, trained_blocks, views_within_limit
from automl.training.forward import keras_forward
from automl.training.trial import Trial
from automl.training.views import variations

ROWS = np.array([3, 0, 65, 7, *range(40)])

TUNED = {
    "backbone": "efficientnet-lite",
    "depth": 0,
    "resolution": 32,
    "weights": "pretrained",
    "head": "linear",
    "unfreeze": 0.25,
    "augmentation": "none",
    "optimizer": "sgd",
    "lr": 0.002,
    "schedule": "constant",
    "epochs": 2,
    "batch_size": 16,
}


def place(folder, limit=10**9):
    """Returns the cache in `folder`, as a new process sees it, and a file of it."""
    cache = Cache(folder, time.time(), limit)
    return cache, cache.features / "a.npy"


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (70, 4, 4, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network():
    return plugin_manager().backbones["efficientnet-lite"].build(0, 32, "pretrained")


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_the_parts_together_are_the_network(network, share):
    backbone = plugin_manager().backbones["efficientnet-lite"]
    parts = cut(backbone, network, share)
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
    together = parts.upper(parts.lower(images))
    np.testing.assert_allclose(together, network(images), atol=1e-5)
    trained = trained_blocks(backbone, network, share)
    assert trained <= {layer.name for layer in parts.upper.layers}
    assert not trained & {layer.name for layer in parts.lower.layers}
    parts.upper.get_layer("blocks_15_bn2").gamma.assign_add(np.ones(320))
    np.testing.assert_allclose(parts.upper(parts.lower(images)), network(images), atol=1e-4)
    parts.upper.get_layer("blocks_15_bn2").gamma.assign_sub(np.ones(320))


@pytest.mark.parametrize("name", ["resnet", "small-cnn"])
def test_residual_networks_are_cut_between_blocks(name):
    backbone = plugin_manager().backbones[name]
    network = backbone.build(backbone.depths[0], 32, None)
    parts = cut(backbone, network, 0.5)
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(parts.upper(parts.lower(images)), network(images), atol=1e-4)


def test_a_network_that_is_trained_as_a_whole_is_not_cut(network):
    backbone = plugin_manager().backbones["efficientnet-lite"]
    assert cut(backbone, network, 1.0) is None


def refitted(data, files, **changes):
    classifier = Trial({**TUNED, **changes}, data).refit(1.0)
    assert len(list(data.cache.features.glob("*-*.npy"))) == files
    return classifier.model.predict(data.pixels.astype(np.float32), verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["linear", "linear-svm"])
def test_it_learns_what_the_whole_network_would(make_data, head):
    whole = refitted(make_data(side=32, images=60, limit=0), 0, head=head, C=1.0)
    parts = refitted(make_data(side=32, images=60), 1, head=head, C=1.0)
    assert np.corrcoef(whole.ravel(), parts.ravel())[0, 1] > 0.99
    assert np.mean(whole.argmax(1) == parts.argmax(1)) > 0.95


@pytest.mark.slow
def test_as_many_views_are_kept_as_the_cache_has_room_for(make_data):
    changes = {"augmentation": "flip-crop", "flip_crop_margin": 0.05, "epochs": 1}
    images, whole = 20, make_data(side=32, images=20)  # features are larger than such pictures
    refitted(whole, 1, **changes)
    (four,) = whole.cache.features.glob("*-*.npy")
    view = (four.stat().st_size - 128) // 4
    shutil.rmtree(whole.cache.root)
    three = make_data(side=32, images=images, limit=4 * view - 1)
    for _ in range(2):  # the second time it is there, and no smaller one is made
        refitted(three, 1, **changes)
    (path,) = three.cache.features.glob("*-*.npy")
    assert len(np.load(path, mmap_mode="r")) == 3 * images
    assert three.cache.size() <= three.cache.limit


@pytest.mark.parametrize("policy", ["none", "flip-crop", "trivial", "imgaug"])
def test_views_are_the_image_and_what_the_policy_makes_of_it(pixels, policy, tmp_path):
    import keras

    augmentation = plugin_manager().augmentations[policy]
    hp = keras_tuner.HyperParameters()
    augmentation.declare(hp)
    makers = variations(augmentation, hp.values, 0, 3)
    inputs = keras.Input((4, 4, 3))
    doubled = keras_forward(keras.Model(inputs, keras.layers.Rescaling(2.0)(inputs)))
    done = []
    values = activations(lambda: doubled, pixels, ROWS, makers, *place(tmp_path), done.append)
    assert values.dtype == np.float16
    np.testing.assert_array_equal(values[: len(ROWS)], 2.0 * pixels[ROWS])
    if policy == "none":
        assert len(values) == len(ROWS)
    else:
        first, second, third = np.split(np.asarray(values, np.float32), 3)
        assert np.abs(second - first).max() > 1
        assert np.abs(third - second).max() > 1
    assert done[-1] == len(values)


@pytest.mark.parametrize("damage", [b"", b"Dear", "cut off", "altered", "too few"])
def test_damaged_activations_are_made_anew(pixels, tmp_path, damage):
    import keras

    inputs = keras.Input((4, 4, 3))
    calls = []

    def make():
        calls.append(1)
        return keras_forward(keras.Model(inputs, keras.layers.Rescaling(0.5)(inputs)))

    def compute():
        makers = [lambda images, seed: images.astype(np.float32)]
        cache, path = place(tmp_path)
        return np.array(activations(make, pixels, ROWS, makers, cache, path, lambda done: None))

    path = tmp_path / "features" / "a.npy"
    first = compute()
    np.testing.assert_array_equal(compute(), first)
    assert len(calls) == 1
    whole = path.read_bytes()
    if damage == "altered":
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif damage == "too few":
        np.save(path, first[:-1])
    else:
        path.write_bytes(whole[:-10] if damage == "cut off" else damage)
    np.testing.assert_array_equal(compute(), first)
    assert len(calls) == 2
    assert path.read_bytes() == whole


def test_values_beyond_float16_are_kept_in_float32(pixels, tmp_path):
    import keras

    inputs = keras.Input((4, 4, 3))
    large = keras_forward(keras.Model(inputs, keras.layers.Rescaling(1000.0)(inputs)))
    makers = [lambda images, seed: images.astype(np.float32)]
    values = activations(lambda: large, pixels, ROWS, makers, *place(tmp_path), lambda done: None)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, 1000.0 * pixels[ROWS])


def test_there_are_none_where_they_have_no_room_after_all(pixels, tmp_path):
    """In float32 they take twice the room that was asked about."""
    import keras

    inputs = keras.Input((4, 4, 3))
    large = keras_forward(keras.Model(inputs, keras.layers.Rescaling(1000.0)(inputs)))
    makers = [lambda images, seed: images.astype(np.float32)]
    cache, path = place(tmp_path, 3 * len(ROWS) * 4 * 4 * 3)
    assert activations(lambda: large, pixels, ROWS, makers, cache, path, lambda done: None) is None
    assert cache.size() == 0


def test_what_is_too_much_takes_fewer_views(network, tmp_path):
    backbone = plugin_manager().backbones["efficientnet-lite"]
    parts = cut(backbone, network, 0.5)  # 2 x 2 x 112 values of 2 bytes
    each = 2 * int(np.prod(parts.lower.output_shape[1:]))
    cache, path = place(tmp_path, 100 * each)
    for images, views in ((10, 4), (25, 4), (26, 3), (50, 2), (51, 1), (100, 1), (101, 0)):
        found = views_within_limit(parts, images, 4, lambda views, size: cache.fits(path, size))
        assert found == views


def test_an_epoch_takes_one_view_of_each_image():
    images, views = 50, 3
    inputs = np.arange(images * views)
    batches = Batches(inputs, np.arange(images), np.zeros(images), 10, 0, views=views)
    seen = set()
    for _ in range(20):
        drawn = np.concatenate([batches[i][0] for i in range(batches.num_batches)]).astype(int)
        assert sorted(drawn % images) == list(range(images))
        seen.update(drawn.tolist())
        batches.on_epoch_end()
    assert len(seen) == images * views


@pytest.mark.slow
def test_activations_are_told_apart_by_everything_that_makes_them(make_data):
    data, seen = make_data(side=32, images=20), set()
    for changes in (
        {},
        {"unfreeze": 0.5},
        {"augmentation": "flip-crop", "flip_crop_margin": 0.05},
        {"augmentation": "flip-crop", "flip_crop_margin": 0.4},
    ):
        Trial({**TUNED, **changes, "epochs": 1}, data).refit(1.0)
        found = set(data.cache.features.glob("*-*.npy"))
        assert len(found - seen) == 1
        seen = found
    Trial({**TUNED, "epochs": 2, "lr": 0.01, "batch_size": 8}, data).refit(1.0)
    assert set(data.cache.features.glob("*-*.npy")) == seen
