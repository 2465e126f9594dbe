"""The changes of TrivialAugment, and how they are drawn."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from automl.errors import UsageError
from automl_plugins.augmentations.trivial import Trivial


def picture() -> Any:
    """A picture in which every place and direction looks different; 0.2 to 0.8 of the range."""
    rows, columns = np.mgrid[0:24, 0:36]
    waves = np.stack([np.sin(rows / 5), np.cos(columns / 7), np.sin((rows + columns) / 9)], -1)
    return np.round(127.5 + 76 * waves).astype(np.float32)


def changed(name: str, strength: float, sign: int = 1, image: Any = None) -> Any:
    from automl_plugins.augmentations.changes import CHANGES

    image = picture() if image is None else image
    values = CHANGES[name](image, np.float32(strength), np.float32(sign * strength))
    return np.asarray(values)


def test_there_are_fourteen_changes_and_strength_zero_is_none():
    from automl_plugins.augmentations.changes import CHANGES

    assert len(CHANGES) == 14
    for name in CHANGES:
        if name not in ("stretch", "equalize"):  # these have no strength
            np.testing.assert_allclose(changed(name, 0.0), picture(), atol=1e-4)


@pytest.mark.parametrize(("name", "axis"), [("translate_x", 1), ("translate_y", 0)])
def test_translations_move_by_up_to_a_seventh(name: str, axis: int):
    image = np.repeat(np.repeat(picture()[:7, :7], 3, axis=0), 3, axis=1)  # 21 x 21
    moved = np.moveaxis(changed(name, 1.0, image=image), axis, 0)
    np.testing.assert_allclose(moved[:-3], np.moveaxis(image, axis, 0)[3:], atol=1e-3)


def test_a_rotation_keeps_the_centre_and_is_undone_by_its_opposite():
    image = picture()[:23, :35]
    turned = changed("rotate", 0.5, image=image)
    assert np.abs(turned - image).mean() > 5
    np.testing.assert_allclose(turned[11, 17], image[11, 17], atol=1e-3)
    back = changed("rotate", 0.5, sign=-1, image=turned)
    assert np.abs(back - image)[8:15, 12:23].mean() < 2


@pytest.mark.parametrize("name", ["brightness", "contrast", "color", "sharpness"])
def test_blends_go_both_ways(name: str):
    less, same, more = (changed(name, 0.5, sign) for sign in (-1, 0, 1))
    np.testing.assert_allclose(less + more, 2 * same, atol=1e-3)
    spread = {"brightness": np.mean, "contrast": np.std, "color": lambda v: np.ptp(v, -1).mean()}
    measure = spread.get(name, lambda v: np.abs(np.diff(v, axis=0)).mean())
    assert measure(less) < measure(same) < measure(more)


def test_posterize_drops_bits_and_solarize_inverts_what_is_bright():
    image = picture()
    np.testing.assert_array_equal(changed("posterize", 0.5), image // 4 * 4)
    np.testing.assert_array_equal(changed("posterize", 1.0), image // 16 * 16)
    np.testing.assert_allclose(changed("solarize", 1.0), np.where(image > 0, 255 - image, image))
    half = np.where(image > 127.5, 255 - image, image)
    np.testing.assert_allclose(changed("solarize", 0.5), half)


@pytest.mark.parametrize(
    ("name", "pillow"), [("stretch", ImageOps.autocontrast), ("equalize", ImageOps.equalize)]
)
def test_the_spreading_changes_agree_with_pillow(name: str, pillow: Any):
    noise = np.random.default_rng(0).normal(120, 30, (100, 120, 3))
    image = np.round(noise.clip(20, 220)).astype(np.float32)
    expected = np.asarray(pillow(Image.fromarray(image.astype(np.uint8))), np.float32)
    difference = np.abs(changed(name, 1.0, image=image) - expected)
    assert difference.mean() < 3  # Pillow rounds down in between
    assert difference.max() < 10


@pytest.mark.parametrize("name", ["stretch", "equalize"])
def test_a_channel_of_one_value_stays(name: str):
    image = picture()
    image[..., 1] = 77
    np.testing.assert_array_equal(changed(name, 1.0, image=image)[..., 1], image[..., 1])


def vary(images: Any, mirror: float, seed: int = 0) -> Any:
    layers = Trivial().layers({"trivial_mirror": mirror}, seed)
    return np.asarray(layers[0](images, training=True))


def test_images_of_a_batch_are_varied_differently_and_a_few_not_at_all():
    images = np.stack([picture()] * 60)
    varied = vary(images, mirror=0.0)
    unlike = {image.tobytes() for image in varied}
    assert len(unlike) > 30
    assert 1 <= sum(np.array_equal(image, picture()) for image in varied) < 20


def test_the_share_that_is_mirrored():
    images = np.stack([picture()] * 60)
    mirrored = sum(np.array_equal(image, picture()[:, ::-1]) for image in vary(images, 1.0))
    assert mirrored >= 1
    assert not any(np.array_equal(image, picture()[:, ::-1]) for image in vary(images, 0.0))


@pytest.mark.parametrize("value", [-0.1, 1.1, "often", None])
def test_a_share_out_of_range_is_refused(value: Any):
    with pytest.raises(UsageError, match="expected trivial_mirror to be a number"):
        Trivial().layers({"trivial_mirror": value}, seed=0)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs PyTorch, its CPU build will do"
)
def test_the_contract_holds_on_pytorch():
    program = (
        "import automl.testing as t; from automl_plugins.augmentations.trivial import Trivial;"
        "t.check_augmentation(Trivial()); import keras; print(keras.backend.backend())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["torch"]
