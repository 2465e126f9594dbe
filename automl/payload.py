"""Pictures on their way to a scoring gateway: read, looked at, and encoded for a request."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from automl.errors import ImageError, UsageError

Image = str | os.PathLike[str] | bytes
Images = Image | Sequence[Image]

MAX_DOWNLOAD = 32 << 20
"""The most bytes that are fetched from an address."""

_FETCH_SECONDS = 20.0
_REQUEST_IMAGES = 16
_REQUEST_BYTES = 8 << 20


class ImageFault(TypedDict):
    """Why one picture has no score.

    Attributes:
        code: One word, such as `bad_image`.
        message: One sentence.
    """

    code: str
    message: str


@dataclass(frozen=True)
class Payload:
    """One picture, or why it cannot be sent.

    Attributes:
        name: The path or address as it was given, or `bytes`.
        b64: The encoded file in base64; empty where there is a fault.
        fault: What is wrong with it.
    """

    name: str
    b64: str = ""
    fault: ImageFault | None = None


def is_url(text: str) -> bool:
    """Says whether `text` is an `http` or `https` address."""
    return text.lower().startswith(("http://", "https://"))


def payloads(images: Images, resize: tuple[int, int] | None = None) -> Iterator[list[Payload]]:
    """Reads pictures and yields them in order, as many together as a request should carry.

    Files and what is fetched are looked at first, so that one that is no picture fails alone.

    Args:
        images: The pictures.
        resize: Height and width to resize them to, losing nothing else; `None` leaves them.

    Raises:
        UsageError: If a picture is neither a path, an address nor bytes.
    """
    listed = [images] if isinstance(images, str | os.PathLike | bytes) else images
    group: list[Payload] = []
    size = 0
    for image in listed:
        payload = _payload(image, resize)
        if group and (len(group) == _REQUEST_IMAGES or size + len(payload.b64) > _REQUEST_BYTES):
            yield group
            group, size = [], 0
        group.append(payload)
        size += len(payload.b64)
    if group:
        yield group


def _payload(image: Image, resize: tuple[int, int] | None) -> Payload:
    if not isinstance(image, str | os.PathLike | bytes):
        raise UsageError(
            f"expected an image as a path, an address or bytes, found a {type(image).__name__}; "
            f"pass one of these or a list of them."
        )
    name = "bytes" if isinstance(image, bytes) else os.fspath(image)
    try:
        content = (
            image if isinstance(image, bytes) else _fetch(name) if is_url(name) else _read(name)
        )
        if resize is not None:
            content = _resized(content, resize)
    except ImageError as error:
        return Payload(name, fault=ImageFault(code=error.code, message=str(error)))
    return Payload(name, base64.b64encode(content).decode())


def _read(name: str) -> bytes:
    from automl.images import probe

    probe(name)
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ImageError(
            f"expected an image file, found that {name} cannot be read ({error.strerror}); "
            f"check the path and its permissions."
        ) from error


def _resized(content: bytes, size: tuple[int, int]) -> bytes:
    from automl.images import decode, encode_png

    return encode_png(decode(content, size))


def _fetch(url: str) -> bytes:
    """Fetches a picture from here: a gateway fetches nothing on behalf of others."""
    import httpx

    content = bytearray()
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=_FETCH_SECONDS) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > MAX_DOWNLOAD:
                    raise ImageError(
                        f"expected an image of at most {MAX_DOWNLOAD:,} bytes, found more at "
                        f"{url}; make it smaller."
                    )
    except httpx.HTTPStatusError as error:
        raise ImageError(
            f"expected an image at {url}, found the status {error.response.status_code}; check "
            f"the address."
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ImageError(
            f"expected an image at {url}, found that it cannot be fetched "
            f"({error or type(error).__name__}); check the address and the network."
        ) from error
    return bytes(content)
