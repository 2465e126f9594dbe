"""The families of Keras Applications give Applications' own features, from any Keras file."""

import keras
import numpy as np
import pytest

from automl.errors import WeightsUnavailableError
from automl_plugins.backbones.convnext import ConvNeXt
from automl_plugins.backbones.efficientnet_v2 import EfficientNetV2
from automl_plugins.backbones.mobilenet_v2 import MobileNetV2
from automl_plugins.backbones.resnet import ResNet

SIDE = 64
SHAPE = (SIDE, SIDE, 3)


def _whole(backbone):
    """Returns an application with its classifier, and its own scaling of pictures."""
    applications = keras.applications
    return {
        "mobilenet-v2": (
            lambda **options: applications.MobileNetV2(alpha=0.5, **options),
            applications.mobilenet_v2.preprocess_input,
        ),
        "efficientnet-v2": (
            applications.EfficientNetV2B0,
            applications.efficientnet_v2.preprocess_input,
        ),
        "resnet": (applications.ResNet50, applications.resnet.preprocess_input),
        "convnext": (applications.ConvNeXtTiny, applications.convnext.preprocess_input),
    }[backbone.name]


FAMILIES = [
    pytest.param(MobileNetV2(), 50, id="mobilenet-v2"),
    pytest.param(EfficientNetV2(), "b0", id="efficientnet-v2", marks=pytest.mark.slow),
    pytest.param(ResNet(), 50, id="resnet", marks=pytest.mark.slow),
    pytest.param(ConvNeXt(), "tiny", id="convnext", marks=pytest.mark.slow),
]


def _randomize(model):
    """Gives every variable a value of its own, as training would."""
    rng = np.random.default_rng(0)
    for variable in model.variables:
        value = np.asarray(variable)
        if value.ndim == 1:
            variable.assign(rng.uniform(0.5, 1.5, value.shape))


def _pictures():
    return np.random.default_rng(1).integers(0, 256, (2, *SHAPE)).astype(np.float32)


def _assert_same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("backbone", "depth"), FAMILIES)
def test_features_are_those_of_the_application(tmp_path, backbone, depth):
    """From a file with the classifier in, and one without, in each of Keras' formats."""
    build, preprocess = _whole(backbone)
    whole = build(weights=None, include_top=True, input_shape=SHAPE, classes=7)
    _randomize(whole)
    before_classifier = keras.Model(whole.input, whole.layers[-1].input)
    expected = before_classifier(preprocess(_pictures()), training=False).numpy()
    without = build(weights=None, include_top=False, input_shape=SHAPE, pooling="avg")
    for mine, other in zip(without.variables, whole.variables, strict=False):
        mine.assign(other)
    for model, name in [(whole, "whole.h5"), (whole, "whole.keras"), (without, "no_top.h5")]:
        model.save(tmp_path / name)
        found = backbone.build(depth, SIDE, str(tmp_path / name))
        _assert_same(found(_pictures(), training=False).numpy(), expected)
    without.save_weights(tmp_path / "no_top.weights.h5")
    found = backbone.build(depth, SIDE, str(tmp_path / "no_top.weights.h5"))
    _assert_same(found(_pictures(), training=False).numpy(), expected)


@pytest.mark.slow
def test_a_file_with_other_names_is_read_in_order(tmp_path):
    """Keras reads its older format by position; published files rely on it."""

    def rename(layer):
        config = layer.get_config() | {"name": f"renamed_{layer.name}"}
        return layer.__class__.from_config(config)

    original = keras.applications.MobileNetV2(
        alpha=0.5, weights=None, include_top=False, input_shape=SHAPE, pooling="avg"
    )
    _randomize(original)
    renamed = keras.models.clone_model(original, clone_function=rename)
    renamed.set_weights(original.get_weights())
    renamed.save(tmp_path / "renamed.h5")
    found = MobileNetV2().build(50, SIDE, str(tmp_path / "renamed.h5"))
    expected = original(_pictures() / 127.5 - 1, training=False).numpy()
    _assert_same(found(_pictures(), training=False).numpy(), expected)


def test_the_file_of_another_network_names_the_first_layer_that_differs(tmp_path):
    other = keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(3, 3, name="Conv1")])
    for name in ("other.h5", "other.keras"):
        other.save(tmp_path / name)
        with pytest.raises(WeightsUnavailableError, match=rf"for the layer Conv1, .*{name}"):
            MobileNetV2().build(50, SIDE, str(tmp_path / name))


@pytest.mark.parametrize("name", ["a.h5", "a.keras", "a.weights.h5"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 cut off"])
def test_a_file_of_something_else_is_one_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsUnavailableError, match="expected a Keras weights file") as caught:
        MobileNetV2().build(50, SIDE, str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_published_files_are_those_that_keras_would_download():
    """The cache is shared with Keras Applications, so names and checksums must be its own."""
    from keras.src.applications import convnext, efficientnet_v2, mobilenet_v2, resnet

    for depth in (50, 101, 152):
        published = ResNet().download(depth)
        assert published.url.startswith(resnet.BASE_WEIGHTS_PATH)
        assert published.digest == resnet.WEIGHTS_HASHES[f"resnet{depth}"][1]
    for depth in EfficientNetV2.depths:
        published = EfficientNetV2().download(depth)
        assert published.url.startswith(efficientnet_v2.BASE_WEIGHTS_PATH)
        assert published.digest == efficientnet_v2.WEIGHTS_HASHES[depth][1]
    for depth in ConvNeXt.depths:
        published = ConvNeXt().download(depth)
        assert published.url.startswith(convnext.BASE_WEIGHTS_PATH)
        assert published.digest == convnext.WEIGHTS_HASHES[f"convnext_{depth}"][1]
    assert MobileNetV2().download(140).url == (
        mobilenet_v2.BASE_WEIGHT_PATH
        + "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.4_224_no_top.h5"
    )
