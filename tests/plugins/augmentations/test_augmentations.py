"""What the built-in augmentations do to pictures, beyond the contract."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from automl.errors import UsageError
from automl_plugins.augmentations.flip_crop import FlipCrop
from automl_plugins.augmentations.imgaug import Imgaug


def ramp() -> Any:
    """Pictures that brighten from left to right, so that a mirrored one shows."""
    row = np.linspace(0, 255, 48)
    return np.tile(row[None, None, :, None], (32, 40, 1, 3)).astype(np.float32)


def is_mirrored(images: Any) -> Any:
    return images[:, :, :10].mean(axis=(1, 2, 3)) > images[:, :, -10:].mean(axis=(1, 2, 3))


def flip_crop(margin: Any) -> Any:
    import keras

    layers = FlipCrop().layers({"flip_crop_margin": margin}, seed=0)
    return np.asarray(keras.Sequential([keras.Input((40, 48, 3)), *layers])(ramp(), training=True))


class TestFlipCrop:
    def test_about_half_are_mirrored(self):
        assert 6 <= is_mirrored(flip_crop(0.1)).sum() <= 26

    def test_without_margin_pictures_are_only_mirrored(self):
        images = flip_crop("0")
        mirrored = is_mirrored(images)
        np.testing.assert_array_equal(images[mirrored], ramp()[mirrored][:, :, ::-1])
        np.testing.assert_array_equal(images[~mirrored], ramp()[~mirrored])

    def test_a_larger_margin_moves_pictures_more(self):
        def moved(margin: float) -> float:
            images = flip_crop(margin)
            upright = images[~is_mirrored(images)]
            return float(np.abs(upright - ramp()[: len(upright)]).mean())

        assert 0 < moved(0.05) < moved(0.4)

    @pytest.mark.parametrize("value", [-0.1, 0.6, "wide", None])
    def test_a_margin_out_of_range_is_refused(self, value: Any):
        with pytest.raises(UsageError, match="expected flip_crop_margin to be a number"):
            FlipCrop().layers({"flip_crop_margin": value}, seed=0)


class TestImgaug:
    def augment(self, strength: Any, mirror: Any = 0.0, seed: int = 0) -> Any:
        params = {"imgaug_strength": strength, "imgaug_mirror": mirror}
        return Imgaug().augmenter(params, seed)(ramp().astype(np.uint8), 1)

    def test_strength_zero_changes_next_to_nothing(self):
        difference = self.augment(0.0).astype(int) - ramp().astype(np.uint8)
        assert np.abs(difference).max() <= 1

    def test_more_strength_changes_more(self):
        def change(strength: float) -> float:
            return float(np.abs(self.augment(strength) - ramp()).mean())

        assert 0 < change(0.3) < change(1.8)

    def test_mirror_is_the_share_that_is_mirrored(self):
        assert is_mirrored(self.augment(0.0, mirror="1")).all()
        assert not is_mirrored(self.augment(0.0, mirror=0)).any()

    def test_the_trial_seed_counts_too(self):
        assert not np.array_equal(self.augment(1.0, seed=0), self.augment(1.0, seed=1))

    @pytest.mark.parametrize("side", [1, 2, 28])
    def test_small_pictures_keep_their_size(self, side: int):
        images = np.zeros((2, side, side, 3), np.uint8)
        assert Imgaug().augmenter({"imgaug_strength": 2.0}, 0)(images, 0).shape == images.shape

    @pytest.mark.parametrize("value", [-1, 3, "wild"])
    def test_a_strength_out_of_range_is_refused(self, value: Any):
        with pytest.raises(UsageError, match="expected imgaug_strength to be a number"):
            self.augment(value)


def test_imgaug_and_opencv_are_imported_by_use_only():
    program = (
        "import sys, automl_plugins.augmentations as a; p = a.Imgaug();"
        "print([m for m in ('imgaug', 'cv2', 'numpy') if m in sys.modules]);"
        "p.augmenter({}, 0); import cv2; print(cv2.getNumThreads())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "1"]
