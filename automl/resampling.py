"""Resizes pictures with antialiasing: a bicubic convolution, as Pillow's.

Where there is no wheel of `cykooz-resizer`, which computes it with the processor's vector
instructions in a sixth of the time, it is Pillow's own. At most a few values in a hundred differ
between the two, by a level or two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

try:
    import cykooz_resizer
except ImportError:  # nobody builds it for this platform
    RESAMPLER = "pillow"
else:
    RESAMPLER = "cykooz-resizer"
    _THREE_BYTES = cykooz_resizer.PixelType.U8x3
    _BICUBIC = cykooz_resizer.ResizeAlg.convolution(cykooz_resizer.FilterType.catmull_rom)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REDUCING_GAP = 3.0
"""How many times as large a picture is left by averages of whole pixels, which come first: cheap,
and no difference that one would see. It is Pillow's parameter of this name."""


def resized(rgb: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resizes a picture, its proportions aside.

    Args:
        rgb: Of mode RGB.
        size: Height and width, in pixels.

    Returns:
        uint8 `[height, width, 3]`, 0..255.
    """
    height, width = size
    if RESAMPLER == "pillow":
        resample = Image.Resampling.BICUBIC
        return np.asarray(rgb.resize((width, height), resample, reducing_gap=_REDUCING_GAP))
    factors = (_factor(rgb.width, width), _factor(rgb.height, height))
    reduced = rgb.reduce(factors) if factors != (1, 1) else rgb
    # By way of bytes: it can read Pillow's memory, too, but only as Pillow lays it out today.
    content = reduced.tobytes()
    image = cykooz_resizer.ImageData(reduced.width, reduced.height, _THREE_BYTES, content)
    # Rows first, as Pillow: values are cut off at 0 and 255 in between.
    image = _part(image, rgb.width / factors[0], reduced.height, (width, reduced.height))
    image = _part(image, width, rgb.height / factors[1], (width, height))
    return np.frombuffer(image.get_buffer(), np.uint8).reshape(height, width, 3)


def _part(image: Any, width: float, height: float, size: tuple[int, int]) -> Any:
    """Resizes the upper left part of an image, `width` times `height`, to another width, height."""
    target = cykooz_resizer.ImageData(*size, _THREE_BYTES)
    box = cykooz_resizer.CropBox(0, 0, width, height)
    options = cykooz_resizer.ResizeOptions(_BICUBIC, crop_box=box)
    cykooz_resizer.Resizer().resize(image, target, options)  # threads would wait for a shared one
    return target


def _factor(found: int, wanted: int) -> int:
    return int(found / wanted / _REDUCING_GAP) or 1
