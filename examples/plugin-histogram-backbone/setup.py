"""A third-party plugin: an entry point in the group `automl.plugins` is all it takes."""

from setuptools import setup

setup(
    name="automl-histogram-backbone",
    version="0.1.0",
    description="Colour histograms as a backbone for automl.",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["automl_histogram"],
    install_requires=["automl-vision>=0.1"],
    entry_points={"automl.plugins": ["colour-histogram = automl_histogram"]},
)
