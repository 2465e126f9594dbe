"""The pixels backbone loses nothing and separates grey from colour."""

import numpy as np
import pytest

from automl.errors import WeightsUnavailableError
from automl_plugins.backbones.pixels import Pixels


@pytest.fixture(scope="module")
def model():
    return Pixels().build(0, 8, None)


def _pictures(channels):
    return np.random.default_rng(0).integers(0, 256, (50, 8, 8, channels)).astype(np.float32)


def test_inner_products_are_those_of_rgb_in_0_to_1(model):
    pictures = _pictures(3)
    features = model(pictures).numpy()
    flat = pictures.reshape(50, -1) / 255
    np.testing.assert_allclose(features @ features.T, flat @ flat.T, rtol=1e-5)


def test_a_grey_picture_has_exactly_zero_in_the_colour_planes(model):
    features = model(np.repeat(_pictures(1), 3, axis=-1)).numpy()
    assert features.shape == (50, 3 * 64)
    assert np.all(features[:, 64:] == 0)
    assert np.all(features[:, :64] >= 0)


def test_weights_are_refused_because_there_are_none_to_set():
    with pytest.raises(WeightsUnavailableError, match="expected no weights for pixels"):
        Pixels().build(0, 8, "some.pth")
