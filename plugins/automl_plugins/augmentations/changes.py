"""The changes of TrivialAugment, in Keras' operations: geometry, light and colour.

Each takes one image, float32 `[H, W, 3]` in 0..255, a strength from 0 to 1, and the same with a
random sign, -1 to 1; it returns the image changed, where blends may go beyond 0..255.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

ANGLE = math.radians(30)
SHEAR = 0.3
SHIFT = 1 / 7
"""The most that an image is moved, as a share of its side: 32 of 224 pixels."""
BLEND = 0.9
"""How far from 1 the factor of brightness, contrast, color and sharpness may be."""
BITS = 4
"""The most bits of eight that `posterize` drops."""
LEVELS = 256


def identity(image: Any, strength: Any, signed: Any) -> Any:
    """Leaves the image as it is."""
    return image


def rotate(image: Any, strength: Any, signed: Any) -> Any:
    """Turns the image about its centre."""
    sine, cosine = ops.sin(ANGLE * signed), ops.cos(ANGLE * signed)
    return _resampled(image, xx=cosine, xy=-sine, yx=sine, yy=cosine)


def shear_x(image: Any, strength: Any, signed: Any) -> Any:
    """Moves rows to the side, the farther from the centre the more."""
    return _resampled(image, xy=SHEAR * signed)


def shear_y(image: Any, strength: Any, signed: Any) -> Any:
    """Moves columns up and down, the farther from the centre the more."""
    return _resampled(image, yx=SHEAR * signed)


def translate_x(image: Any, strength: Any, signed: Any) -> Any:
    """Moves the image to the side."""
    return _resampled(image, right=SHIFT * signed * image.shape[1])


def translate_y(image: Any, strength: Any, signed: Any) -> Any:
    """Moves the image up or down."""
    return _resampled(image, down=SHIFT * signed * image.shape[0])


def brightness(image: Any, strength: Any, signed: Any) -> Any:
    """Blends with black, or away from it."""
    return _blended(ops.zeros_like(image), image, signed)


def contrast(image: Any, strength: Any, signed: Any) -> Any:
    """Blends with the image's mean grey, or away from it."""
    return _blended(ops.mean(_grey(image)), image, signed)


def color(image: Any, strength: Any, signed: Any) -> Any:
    """Blends with the image in grey, or away from it."""
    return _blended(_grey(image), image, signed)


def sharpness(image: Any, strength: Any, signed: Any) -> Any:
    """Blends with the image blurred a little, or away from it."""
    around = ops.average_pool(image[None], 3, 1, padding="same", data_format="channels_last")[0]
    # A pixel weighs five times as much as each of its neighbours, as in Pillow.
    return _blended((9.0 * around + 4.0 * image) / 13.0, image, signed)


def posterize(image: Any, strength: Any, signed: Any) -> Any:
    """Drops the lowest bits of each value."""
    step = ops.power(2.0, ops.round(BITS * strength))
    return ops.where(step > 1.0, ops.floor(image / step) * step, image)


def solarize(image: Any, strength: Any, signed: Any) -> Any:
    """Inverts the values above a threshold, which falls as the strength grows."""
    return ops.where(image > 255.0 * (1.0 - strength), 255.0 - image, image)


def stretch(image: Any, strength: Any, signed: Any) -> Any:
    """Spreads each channel's values over 0..255; a channel of a single value stays.

    The paper and Pillow call it autocontrast.
    """
    low = ops.min(image, axis=(0, 1))
    span = ops.max(image, axis=(0, 1)) - low
    return ops.where(span > 0.0, (image - low) * 255.0 / ops.maximum(span, 1e-3), image)


def equalize(image: Any, strength: Any, signed: Any) -> Any:
    """Makes each channel's values about equally frequent; a channel of a single value stays."""
    channels = image.shape[-1]
    values = ops.cast(ops.round(ops.clip(image, 0.0, 255.0)), "int32")
    places = ops.reshape(values + ops.arange(channels, dtype="int32") * LEVELS, (-1,))
    ones = ops.ones_like(places, dtype="float32")
    counts = ops.segment_sum(ones, places, num_segments=channels * LEVELS)
    upto = ops.cumsum(ops.reshape(counts, (channels, LEVELS)), axis=1)
    least = ops.min(ops.where(upto > 0.0, upto, upto[:, -1:]), axis=1, keepdims=True)
    span = upto[:, -1:] - least
    table = (upto - least) * 255.0 / ops.maximum(span, 1.0)
    spread = ops.reshape(ops.take(ops.reshape(table, (-1,)), places), ops.shape(image))
    return ops.where(span[:, 0] > 0.0, spread, image)


CHANGES: Mapping[str, Callable[[Any, Any, Any], Any]] = {
    change.__name__: change
    for change in (
        identity,
        rotate,
        shear_x,
        shear_y,
        translate_x,
        translate_y,
        brightness,
        contrast,
        color,
        sharpness,
        posterize,
        solarize,
        stretch,
        equalize,
    )
}
"""All fourteen, by name."""


def _blended(end: Any, image: Any, signed: Any) -> Any:
    return end + (1.0 + BLEND * signed) * (image - end)


def _grey(image: Any) -> Any:
    """Returns each pixel's luminance `[H, W, 1]`, as ITU-R 601 weighs the colours."""
    red, green, blue = (image[..., i : i + 1] for i in range(3))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _resampled(
    image: Any,
    *,
    xx: Any = 1.0,
    xy: Any = 0.0,
    yx: Any = 0.0,
    yy: Any = 1.0,
    right: Any = 0.0,
    down: Any = 0.0,
) -> Any:
    """Fills each place (x, y), from the centre, with what was at (xx x + xy y + right, ...)."""
    x, y = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
    right += x - (xx * x + xy * y)
    down += y - (yx * x + yy * y)
    terms = (xx, xy, right, yx, yy, down, 0.0, 0.0)
    transform = ops.stack([ops.convert_to_tensor(term, "float32") for term in terms])
    return ops.image.affine_transform(
        image, transform, fill_mode="reflect", data_format="channels_last"
    )
