"""Every depth of every built-in backbone, from one table."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from automl.plugins import plugin_manager

BACKBONES = plugin_manager().backbones
QUICK = {
    *(("pixels", 0), ("small-cnn", 2), ("small-cnn", 4)),
    *(("efficientnet-lite", 0), ("mobilenet-v2", 50), ("resnet", 18)),
}
FEATURES = {
    "alexnet": (4096,),
    "convnext": (768, 768, 1024),
    "efficientnet-lite": (1280, 1280, 1280),
    "efficientnet-v2": (1280, 1280, 1408, 1536),
    "mobilenet-v2": (1280, 1280, 1792),
    "pixels": (3 * 64 * 64,),
    "resnet": (512, 512, 2048, 2048, 2048),
    "small-cnn": (64, 128, 256),
}
SIDE = 64
TABLE = [
    pytest.param(
        BACKBONES[name],
        depth,
        count,
        id=f"{name}-{depth}",
        marks=() if (name, depth) in QUICK else pytest.mark.slow,
    )
    for name, counts in FEATURES.items()
    for depth, count in zip(BACKBONES[name].depths, counts, strict=True)
]


def _pictures():
    """Black, white and noise, float32 in 0..255."""
    noise = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3))
    flat = [np.full((1, SIDE, SIDE, 3), value) for value in (0, 255)]
    return np.concatenate([*flat, noise]).astype(np.float32)


def _features(model, pictures):
    return keras.ops.convert_to_numpy(model(pictures, training=False))


def test_the_table_is_complete():
    ours = {
        backbone.name
        for backbone in BACKBONES
        if type(backbone).__module__.startswith("automl_plugins.")
    }
    assert ours == set(FEATURES)


@pytest.mark.parametrize(("backbone", "depth", "count"), TABLE)
def test_network(backbone, depth, count):
    model = backbone.build(depth, SIDE, None)
    features = _features(model, _pictures())
    assert features.shape == (4, count)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    _check_blocks(backbone, model)
    _check_cuts(backbone, model, features)
    again = backbone.build(depth, SIDE, None)
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(_features(again, _pictures()), features, rtol=1e-4, atol=1e-5)


def _check_blocks(backbone, model):
    """Each layer that has weights is in exactly one block."""
    names = [name for block in backbone.blocks(model) for name in block]
    assert sorted(names) == sorted(layer.name for layer in model.layers)
    if backbone.trainable:
        assert len(backbone.blocks(model)) > 1
        for block in backbone.blocks(model)[:-1]:
            if "downsampling" not in block[0]:
                assert any(model.get_layer(name).weights for name in block)


def _check_cuts(backbone, model, features):
    """The input of a block's first layer is all that passes from the blocks before it."""
    blocks = backbone.blocks(model)
    for index in {1, len(blocks) // 2, len(blocks) - 1} - {0}:
        if index < len(blocks):
            cut = model.get_layer(blocks[index][0]).input
            lower, upper = keras.Model(model.input, cut), keras.Model(cut, model.output)
            found = _features(upper, _features(lower, _pictures()))
            np.testing.assert_allclose(found, features, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backbone", [BACKBONES[name] for name in FEATURES], ids=list(FEATURES))
def test_cost_rises_with_depth_and_resolution(backbone):
    by_depth = [backbone.cost(depth, 64) for depth in backbone.depths]
    assert by_depth == sorted(by_depth)
    assert backbone.cost(backbone.depths[0], 64) < backbone.cost(backbone.depths[0], 128)


def test_cost_is_that_of_the_layers():
    """Counted from small-cnn's own layers, whose formula is not in a publication."""
    model = BACKBONES["small-cnn"].build(3, SIDE, None)
    counted = sum(
        np.prod(layer.output.shape[1:3]) * np.prod(layer.kernel.shape)
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    )
    assert BACKBONES["small-cnn"].cost(3, SIDE) == pytest.approx(counted / 1e9)


@pytest.mark.parametrize("name", ["small-cnn", "pixels"])
def test_a_backbone_without_pretrained_weights_names_none(name):
    assert all(BACKBONES[name].weights(depth) is None for depth in BACKBONES[name].depths)


def test_importing_the_plugin_imports_no_framework():
    program = (
        "import sys, automl_plugins.backbones; "
        "print(sorted({'numpy', 'keras', 'tensorflow', 'h5py', 'torch'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.slow
def test_features_are_the_same_on_another_keras_backend(tmp_path):
    """Models are plain Keras: PyTorch computes what TensorFlow does."""
    pytest.importorskip("torch", reason="PyTorch is the other backend")
    names = ["pixels", "small-cnn", "efficientnet-lite", "mobilenet-v2", "resnet"]
    for name in names:
        model = BACKBONES[name].build(BACKBONES[name].depths[0], SIDE, None)
        model.save_weights(tmp_path / f"{name}.weights.h5")
        np.save(tmp_path / f"{name}.npy", _features(model, _pictures()))
    np.save(tmp_path / "pictures.npy", _pictures())
    program = f"""
import keras, numpy as np
from automl.plugins import plugin_manager
assert keras.backend.backend() == "torch"
pictures = np.load("pictures.npy")
for name in {names}:
    backbone = plugin_manager().backbones[name]
    model = backbone.build(backbone.depths[0], {SIDE}, None)
    model.load_weights(name + ".weights.h5")
    found = keras.ops.convert_to_numpy(model(pictures, training=False))
    expected = np.load(name + ".npy")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
"""
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)


@pytest.mark.slow
def test_small_cnn_learns_mnist():
    """Above 97 % of every fifth test picture after two passes over every tenth of training."""
    import io
    import zipfile

    from PIL import Image

    data = Path(__file__).resolve().parents[4] / "shared" / "data"
    if not (data / "mnist_train.zip").is_file():
        pytest.skip(f"the MNIST pictures are not in {data}")

    def load(name):
        pictures, labels = [], []
        with zipfile.ZipFile(data / name) as archive:
            for entry in archive.namelist():
                if entry.endswith(".png"):
                    pictures.append(np.asarray(Image.open(io.BytesIO(archive.read(entry)))))
                    labels.append(int(entry.split("/")[-2]))
        return np.stack(pictures)[..., None].repeat(3, axis=-1), np.array(labels)

    keras.utils.set_random_seed(0)
    network = BACKBONES["small-cnn"].build(3, 28, None)
    model = keras.Sequential([network, keras.layers.Dense(10)])
    pictures, labels = (array[::10] for array in load("mnist_train.zip"))
    steps = 2 * -(-len(labels) // 32)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(pictures, labels, batch_size=32, epochs=2, verbose=0)
    pictures, labels = (array[::5] for array in load("mnist_test.zip"))
    assert model.evaluate(pictures, labels, batch_size=500, verbose=0)[1] > 0.97
