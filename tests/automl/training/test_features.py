"""Frozen features and their cache."""

from __future__ import annotations

import resource
import time

import numpy as np
import pytest

from automl.cache import Cache
from automl.plugins import plugin_manager
from automl.training.features import compute_features, features_key
from automl.training.forward import keras_forward, predict

ROWS = np.array([3, 0, 65, 7, *range(40)])


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (70, 4, 4, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network():
    import keras

    inputs = keras.Input((4, 4, 3))
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))


@pytest.fixture
def calls(network):
    """A way to get the network that counts how often it was called."""

    class Network:
        count = 0

        def __call__(self):
            self.count += 1
            return keras_forward(network)

    return Network()


def compute(calls, pixels, folder, progress=lambda done: None, limit=10**9):
    cache = Cache(folder, time.time(), limit)
    return compute_features(calls, pixels, ROWS, cache, cache.features / "a.npy", progress)


def test_features_are_the_networks_output(calls, pixels, tmp_path):
    done = []
    features = compute(calls, pixels, tmp_path / "cache", done.append)
    assert features.values.dtype == np.float32
    np.testing.assert_allclose(features.values, pixels[ROWS].mean((1, 2)), rtol=1e-5)
    assert done == [32, 44]
    assert features.seconds > 0


def test_the_cache_answers_the_second_time(calls, pixels, tmp_path):
    first = compute(calls, pixels, tmp_path)
    second = compute(calls, pixels, tmp_path)
    assert calls.count == 1
    assert second.seconds == 0
    np.testing.assert_array_equal(first.values, second.values)


@pytest.mark.parametrize(
    "damage", ["empty", "cut off", "letter", "altered", "too few", "not finite"]
)
def test_a_damaged_cache_is_made_anew(calls, pixels, tmp_path, damage):
    path = tmp_path / "features" / "a.npy"
    first = compute(calls, pixels, tmp_path)
    whole = path.read_bytes()
    if damage == "too few":
        np.save(path, first.values[:-1])
    elif damage == "not finite":
        np.save(path, np.full_like(first.values, np.nan))
    elif damage == "altered":
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    else:
        path.write_bytes({"empty": b"", "cut off": whole[:-10], "letter": b"Dear"}[damage])
    again = compute(calls, pixels, tmp_path)
    assert calls.count == 2
    np.testing.assert_array_equal(first.values, again.values)
    assert path.read_bytes() == whole


def test_features_larger_than_the_pictures_are_not_kept(pixels, tmp_path):
    import keras

    inputs = keras.Input((4, 4, 3))
    flat = keras.Model(inputs, keras.layers.Flatten()(inputs))
    features = compute(lambda: keras_forward(flat), pixels, tmp_path)
    assert features.values.shape == (44, 48)
    assert not list(tmp_path.iterdir())


def test_features_that_have_no_room_are_computed_each_time(calls, pixels, tmp_path):
    values = [compute(calls, pixels, tmp_path, limit=100).values for _ in range(2)]
    np.testing.assert_array_equal(*values)
    assert calls.count == 2
    assert not list(tmp_path.iterdir())


def test_features_that_cannot_be_written_are_used_all_the_same(calls, pixels, tmp_path, caplog):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
    try:
        features = compute(calls, pixels, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    np.testing.assert_allclose(features.values, pixels[ROWS].mean((1, 2)), rtol=1e-5)
    assert "expected a cache that can be written" in caplog.text
    assert "File too large" in caplog.text
    assert not list((tmp_path / "features").iterdir())


@pytest.mark.parametrize("count", [1, 31, 32, 33, 64])
def test_prediction_of_any_number_of_images(network, pixels, count):
    rows = np.arange(count)
    np.testing.assert_allclose(predict(network, pixels, rows), pixels[rows].mean((1, 2)), rtol=1e-5)


def test_the_key_tells_apart_what_gives_other_features(tmp_path):
    pixels, small = (plugin_manager().backbones[name] for name in ("pixels", "small-cnn"))
    (tmp_path / "a.h5").write_bytes(b"a")
    (tmp_path / "b.h5").write_bytes(b"b")
    rows = np.arange(5)
    keys = [
        features_key("p", rows, pixels, 1, "random"),
        features_key("q", rows, pixels, 1, "random"),
        features_key("p", rows[::-1].copy(), pixels, 1, "random"),
        features_key("p", rows, pixels, 2, "random"),
        features_key("p", rows, small, 1, "random"),
        features_key("p", rows, pixels, 1, str(tmp_path / "a.h5")),
        features_key("p", rows, pixels, 1, str(tmp_path / "b.h5")),
        features_key("p", rows, pixels, 1, "random", smaller=True),
    ]
    assert len(set(keys)) == len(keys)
    assert features_key("p", np.arange(5), pixels, 1, "random") == keys[0]
