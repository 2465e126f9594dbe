"""The checks that automl runs on its own components."""

from automl_histogram import ColourHistogram

from automl.testing import check_backbone, check_plugin


def test_backbone_keeps_the_contract():
    check_backbone(ColourHistogram())
    check_backbone(ColourHistogram(), depth=16, resolution=64)


def test_plugin_registers_and_imports_no_framework():
    check_plugin("automl_histogram")


def test_red_and_blue_fall_into_different_bins():
    import numpy as np

    model = ColourHistogram().build(8, 32, None)
    image = np.zeros((1, 32, 32, 3), "float32")
    image[..., 0] = 255.0
    histogram = np.asarray(model(image)).reshape(2, 2, 3, 8)
    assert (histogram[..., 0, 7] == 1.0).all()
    assert (histogram[..., 1:, 0] == 1.0).all()
