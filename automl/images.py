"""The one decoder: the search, the pixel cache and the gateway read pictures with it.

What it settles, so that training and serving see the same: orientation by EXIF, the
first frame of animations, transparency over white, 16-bit samples scaled to 8, greyscale,
palette and CMYK turned to RGB, the whole picture squashed to the model's square (no crop)
with antialiasing. A JPEG much larger than the target is decoded at a reduced scale, but
never below twice the target side, where the difference stays invisible to a model.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from automl import jpeg
from automl.errors import ImageError
from automl.resampling import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECODER_VERSION = 2
"""Part of every pixel cache's key; raise it when a decoded pixel changes."""

MAX_PIXELS = 100_000_000
"""The most pixels (width times height) that are decoded, about 300 MB as RGB."""

try:
    import pi_heif
except ImportError:  # Pillow cannot read what phones take by itself
    OPTIONAL_FORMATS: tuple[str, ...] = ()
else:
    pi_heif.register_heif_opener(thumbnails=False)
    OPTIONAL_FORMATS = ("HEIF",)

FORMATS = (
    "AVIF",
    "BMP",
    "GIF",
    *OPTIONAL_FORMATS,
    "JPEG",
    "JPEG2000",
    "PNG",
    "PPM",
    "TIFF",
    "WEBP",
)
"""What is recognised, by content and never by the file's name."""

SUFFIXES = frozenset(
    {
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".jfif",
        ".jp2",
        ".jpeg",
        ".jpg",
        ".pgm",
        ".png",
        ".ppm",
        ".tif",
    }
    | {".tiff", ".webp"}
)
"""Endings by which pictures are counted where nothing is opened."""

GEOMETRY = "squash"
"""The only geometry so far: the whole picture resized to the model's height and width."""

_HEIF = re.compile(rb".{4}ftyphe[iv][cmsx]", re.DOTALL)
"""How a HEIC file begins."""

_JPEG = b"\xff\xd8"
"""How a JPEG begins."""

_REDUCED_MARGIN = 2

_MOST_SCANS = 200
"""Of a JPEG; programs write about ten."""

_MOST_STEPS = 4000
"""Bytes of a JPEG's markers and their padding; programs write about fifty."""

_BAND = 1 << 20
"""How many pixels are converted at a time where each takes many bytes in between."""

Room = Callable[[int], AbstractContextManager[object]]
"""Is entered with a number of pixels before these come to lie in memory, and left after them."""


@dataclass(frozen=True)
class ImageInfo:
    """What a picture's header says.

    Attributes:
        format: Pillow's name of the format, such as `"JPEG"`.
        width: In pixels, before the EXIF orientation is applied.
        height: Likewise.
        mode: Pillow's mode, such as `"RGB"` or `"P"`.
    """

    format: str
    width: int
    height: int
    mode: str


def probe(source: bytes | str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> ImageInfo:
    """Reads a picture's header.

    Raises:
        ImageError: If it is no image or has more than `max_pixels` pixels.
    """
    with _open(source, max_pixels) as image:
        return ImageInfo(str(image.format), image.width, image.height, image.mode)


def decode(
    source: bytes | str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
    room: Room = contextlib.nullcontext,
) -> NDArray[np.uint8]:
    """Decodes a picture to RGB.

    Args:
        source: The encoded bytes, or a file's path.
        size: Height and width to resize to; `None` keeps the picture's own.
        max_pixels: The most pixels to decode; the header is checked first.
        room: What the pixels to decode have to wait for. Each takes 4 to 20 bytes for a while, as
            the format has it.

    Returns:
        uint8 `[height, width, 3]`, 0..255.

    Raises:
        ImageError: If it is no image, is cut off, or is too large.
    """
    with contextlib.ExitStack() as until_freed:
        return _decode(
            source, size, max_pixels, lambda pixels: until_freed.enter_context(room(pixels))
        )


def _decode(
    source: bytes | str | os.PathLike[str],
    size: tuple[int, int] | None,
    max_pixels: int,
    wait_for: Callable[[int], object],
) -> NDArray[np.uint8]:
    """Decodes as `decode`, once `wait_for` has returned; leaves nothing large when it returns."""
    with _open(source, max_pixels) as image:
        try:
            wait_for(_reduce_scale(image, size, _name(source)))
            # In place, else it copies what lies right, too.
            ImageOps.exif_transpose(image, in_place=True)
            rgb = _to_rgb(image)
            if size is None or rgb.size == (size[1], size[0]):
                return np.asarray(rgb, dtype=np.uint8)
            return resized(rgb, size)
        except ImageError:
            raise
        except Exception as error:  # decoders meet damaged bytes with errors of every kind
            raise ImageError(
                f"expected a whole image, found {_name(source)} cut off or damaged ({error}); "
                f"replace or remove it."
            ) from error


def thumbnail(
    source: bytes | str | os.PathLike[str], side: int, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Decodes a picture for people: in its own proportions, never enlarged.

    Args:
        source: The encoded bytes, or a file's path.
        side: The longer side's most pixels.
        max_pixels: The most pixels to decode; the header is checked first.

    Returns:
        uint8 `[height, width, 3]`, 0..255.

    Raises:
        ImageError: If it is no image, is cut off, or is too large.
    """
    with _open(source, max_pixels) as image:
        height, width = image.size if _lies_on_its_side(image) else image.size[::-1]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return decode(source, size, max_pixels)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encodes uint8 `[H, W, 3]`, or `[H, W]` in grey, as a PNG without loss."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _open(source: bytes | str | os.PathLike[str], max_pixels: int) -> ImageFile.ImageFile:
    if isinstance(source, bytes):
        empty, stream = not source, io.BytesIO(source)
        opened: io.BytesIO | Path = stream
    else:
        opened = Path(source)
        try:
            empty = opened.stat().st_size == 0
        except OSError as error:
            raise ImageError(
                f"expected an image file, found that {opened} cannot be read "
                f"({error.strerror}); check the path and its permissions."
            ) from error
    if empty:
        raise ImageError(f"expected an image, found {_name(source)} empty; replace or remove it.")
    if isinstance(source, bytes) and source[:2] == _JPEG and jpeg.steps(source) > _MOST_STEPS:
        # Pillow goes through them in Python before it says anything.
        raise ImageError(
            "expected a JPEG as programs write them, found one of thousands of segments; save it "
            "anew."
        )
    try:
        with warnings.catch_warnings():
            # Our own limit is checked below, before anything is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(opened, formats=FORMATS)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        if isinstance(error, Image.DecompressionBombError):
            stated = re.search(r"\d+", str(error))
            pixels = f"{int(stated[0]):,} pixels" if stated else "far more"
            raise _too_large(source, pixels, max_pixels) from error
        if not OPTIONAL_FORMATS and _HEIF.match(_beginning(opened)):
            raise ImageError(
                f"expected an image that can be read here, found {_name(source)} to be HEIC; "
                f"install pi-heif, or save it as JPEG."
            ) from error
        raise ImageError(
            f"expected an image ({', '.join(FORMATS)}), found {_name(source)} to be none of "
            f"these or cut off; replace or remove it."
        ) from error
    if image.width * image.height > max_pixels:
        size = f"{image.width}×{image.height} pixels"
        image.close()
        raise _too_large(source, size, max_pixels)
    return image


def _beginning(opened: io.BytesIO | Path) -> bytes:
    if isinstance(opened, io.BytesIO):
        return opened.getvalue()[:12]
    try:
        with opened.open("rb") as file:
            return file.read(12)
    except OSError:
        return b""


def _too_large(source: bytes | str | os.PathLike[str], size: str, max_pixels: int) -> ImageError:
    return ImageError(
        f"expected an image of at most {max_pixels:,} pixels, found {_name(source)} with "
        f"{size}; make it smaller."
    )


def _reduce_scale(image: ImageFile.ImageFile, size: tuple[int, int] | None, name: str) -> int:
    """Lets the JPEG decoder skip detail that a resize would throw away; returns what is left.

    Returns:
        How many pixels will lie in memory.

    Raises:
        ImageError: If it is a JPEG that would take hours.
    """
    pixels = image.width * image.height
    if image.format not in ("JPEG", "MPO"):
        return pixels
    coded = _coded(image, name)
    if size is None:
        return pixels
    height, width = size
    if _lies_on_its_side(image):
        height, width = width, height
    image.draft(None, (_REDUCED_MARGIN * width, _REDUCED_MARGIN * height))
    return image.width * image.height if coded.by_rows else pixels


def _coded(image: ImageFile.ImageFile, name: str) -> jpeg.Jpeg:
    """Returns how a JPEG is coded.

    Raises:
        ImageError: If it would take hours to decode: a scan can have 12 bytes, in arithmetic coding
            even all the pixels.
    """
    assert image.fp is not None
    place = image.fp.tell()
    image.fp.seek(0)
    coded = jpeg.read(image.fp.read())
    image.fp.seek(place)
    if coded.arithmetic or coded.scans > _MOST_SCANS:
        kind = "arithmetic coding" if coded.arithmetic else f"{coded.scans:,} scans"
        raise ImageError(
            f"expected a JPEG as programs write them, found {name} with {kind}; save it anew."
        )
    return coded


def _lies_on_its_side(image: Image.Image) -> bool:
    """Says whether EXIF will swap the picture's height and width."""
    try:
        return image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except (OSError, SyntaxError, ValueError, EOFError, IndexError):
        return False  # `decode` meets the same damage and reports it


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        scale = _scale(image)
        return _by_bands(image, lambda band: _scaled(band, scale))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _by_bands(image, _over_white)
    return image.convert("RGB")


def _by_bands(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Converts a picture to RGB, of which what lies in between is large, a part at a time."""
    if image.width * image.height <= _BAND:
        return convert(image)
    rgb = Image.new("RGB", image.size)
    for top, band in _bands(image):
        rgb.paste(convert(band), (0, top))
    return rgb


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yields parts of a picture's full width, and the rows at which they begin."""
    rows = max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _over_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, rgba).convert("RGB")


def _scale(image: Image.Image) -> float:
    """Returns what maps samples to 0..255: 16-bit ones are of 0..65535, others 8-bit already."""
    top = float(np.max([np.max(np.asarray(band)) for _, band in _bands(image)]))
    return 255.0 if top <= 1.0 and image.mode == "F" else 1.0 if top <= 255.0 else 255.0 / 65535.0


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    samples = np.asarray(image, dtype=np.float64)
    return Image.fromarray(np.clip(samples * scale, 0, 255).astype(np.uint8)).convert("RGB")


def _name(source: bytes | str | os.PathLike[str]) -> str:
    return "the data" if isinstance(source, bytes) else str(source)
