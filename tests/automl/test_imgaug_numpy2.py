"""Every augmenter that imgaug offers, run once on the NumPy that is installed."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from automl.data.augmenting import vary
from automl.imgaug_numpy2 import augmenters

iaa = augmenters()

ARGUMENTS: dict[str, dict[str, Any]] = {
    "AssertShape": {"shape": (None, 24, 32, 3)},
    "BlendAlphaCheckerboard": {"nb_rows": 2, "nb_cols": 2, "foreground": iaa.Invert(1.0)},
    "BlendAlphaMask": {
        "mask_generator": iaa.RegularGridMaskGen(2, 2),
        "foreground": iaa.Invert(1.0),
    },
    "BlendAlphaRegularGrid": {"nb_rows": 2, "nb_cols": 2, "foreground": iaa.Invert(1.0)},
    "ChangeColorspace": {"to_colorspace": "HSV"},
    "CloudLayer": {
        "intensity_mean": 200,
        "intensity_freq_exponent": -2,
        "intensity_coarse_scale": 10,
        "alpha_min": 0,
        "alpha_multiplier": 0.5,
        "alpha_size_px_max": 8,
        "alpha_freq_exponent": -2,
        "sparsity": 1,
        "density_multiplier": 0.5,
    },
    "KeepSizeByResize": {"children": iaa.Crop(2, keep_size=False)},
    "OneOf": {"children": [iaa.Fliplr(1.0), iaa.Flipud(1.0)]},
    "RainLayer": {
        "density": 0.1,
        "density_uniformity": 0.5,
        "drop_size": 0.3,
        "drop_size_uniformity": 0.5,
        "angle": 10,
        "speed": 0.1,
        "blur_sigma_fraction": 0.001,
    },
    "RemoveCBAsByOutOfImageFraction": {"fraction": 0.5},
    "ReplaceElementwise": {"mask": 0.1, "replacement": 128},
    "Resize": {"size": 16},
    "SnowflakesLayer": {
        "density": 0.1,
        "density_uniformity": 0.5,
        "flake_size": 0.5,
        "flake_size_uniformity": 0.5,
        "angle": 10,
        "speed": 0.02,
        "blur_sigma_fraction": 0.001,
    },
    "Voronoi": {"points_sampler": iaa.RegularGridPointsSampler(4, 4)},
    "WithColorspace": {"to_colorspace": "HSV", "children": iaa.Multiply(0.5)},
    "WithPolarWarping": {"children": iaa.Crop(2)},
}
"""What augmenters need to be told that have no default of their own."""

COMMON = {
    "aspect_ratio": 1.0,
    "height": 16,
    "width": 16,
    "height_multiple": 10,
    "width_multiple": 10,
    "height_base": 2,
    "width_base": 2,
}
"""What many of the croppers and padders need."""

LEFT_OUT = {
    "Augmenter": "the base of all",
    "AffineCv2": "imgaug itself says to use Affine",
    "BlendAlphaBoundingBoxes": "needs boxes, which labelled images do not have",
    "BlendAlphaSegMapClassIds": "needs maps, which labelled images do not have",
    "SaveDebugImageEveryNBatches": "writes files for debugging",
}


def classes() -> list[str]:
    found = {
        name
        for name, value in vars(iaa).items()
        if inspect.isclass(value) and issubclass(value, iaa.Augmenter)
    }
    return sorted(found - LEFT_OUT.keys())


def make(name: str) -> Any:
    kind = getattr(iaa, name)
    asked = inspect.signature(kind).parameters
    arguments = {key: value for key, value in COMMON.items() if key in asked}
    if name.startswith("BlendAlpha"):
        arguments |= {"foreground": iaa.Invert(1.0)}
    return kind(**{**arguments, **ARGUMENTS.get(name, {})})


def picture() -> Any:
    rows, columns = np.mgrid[0:24, 0:32]
    waves = np.stack([np.sin(rows / 5), np.cos(columns / 7), np.sin((rows + columns) / 9)], -1)
    return np.round(127.5 + 120 * waves).astype(np.uint8)


@pytest.mark.parametrize("name", classes())
def test_an_augmenter_runs_and_follows_its_seed(name: str):
    augmenters()  # warnings are errors here, but for those of imgaug's own calls
    pipeline = make(name)
    for seed in range(3):
        varied = vary(pipeline, picture(), [seed])
        np.testing.assert_array_equal(vary(pipeline, picture(), [seed]), varied)
        assert varied.dtype == np.uint8
        assert varied.shape[-1] == 3


def test_none_of_them_is_missed():
    assert len(classes()) >= 140
