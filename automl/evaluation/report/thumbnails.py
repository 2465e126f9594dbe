"""Pictures small enough to stand in a page."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable
from pathlib import Path

from automl.errors import ImageError

SIDE = 160
"""The longer side of a thumbnail, in pixels."""

_QUALITY = 78


def thumbnail(path: str | None) -> tuple[str, int, int] | None:
    """Returns a picture as a data address with its width and height; `None` if it is gone."""
    from PIL import Image

    from automl import images

    if path is None:
        return None
    try:
        pixels = images.thumbnail(path, SIDE)
    except (ImageError, OSError, ValueError):
        return None
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    content = base64.b64encode(buffer.getvalue()).decode()
    height, width = pixels.shape[:2]
    return f"data:image/jpeg;base64,{content}", width, height


def common_folder(paths: Iterable[str | None]) -> str:
    """Returns the folder that all paths lie in, so that the page names no more than it must."""
    folders = [str(Path(path).parent.absolute()) for path in paths if path]
    return str(Path(os.path.commonpath(folders))) if folders else ""
