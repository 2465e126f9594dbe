"""How pictures with values in 0..255 become what ImageNet networks were trained on."""

from __future__ import annotations

from typing import Any

MEAN = (123.675, 116.28, 103.53)
DEVIATION = (58.395, 57.12, 57.375)
"""Of ImageNet's red, green and blue: 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225 times 255."""


def standardize(x: Any) -> Any:
    """Subtracts ImageNet's mean and divides by its deviation, as torchvision does."""
    from keras import layers

    variance = [deviation**2 for deviation in DEVIATION]
    return layers.Normalization(mean=list(MEAN), variance=variance, name="standardize")(x)
