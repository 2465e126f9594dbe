"""Reads the three forms of a scoring request into one.

A body that is no such request is refused as a whole; an image in it that cannot be had is
answered at its own place.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automl_serving.gateway import multipart
from automl_serving.gateway.errors import (
    BadRequestError,
    TooManyImagesError,
    UnsupportedMediaTypeError,
)

_JSON_MARKS_PER_IMAGE = 1000
"""How many of `[`, `{` and `,` a body may have for each image that it may hold.

A few bytes of these make hundreds in memory, and none of them occurs in base64.
"""

_WHITESPACE = str.maketrans("", "", " \t\r\n")


@dataclass(frozen=True)
class Parameters:
    """How an image's result is to look.

    Attributes:
        top_k: How many labels `scores` holds, the best first; `None` means all.
        add_softmax: Whether `scores` are probabilities; else they are logits.
    """

    top_k: int | None = None
    add_softmax: bool = True

    @classmethod
    def parse(cls, value: Any) -> Parameters:
        """Reads a JSON value; `None` stands for the defaults.

        Raises:
            BadRequestError: If it is no object of these parameters.
        """
        if value is None:
            return cls()
        if not isinstance(value, dict):
            raise _bad("an object for 'parameters'", value)
        unknown = sorted(set(value) - {"top_k", "add_softmax"})
        if unknown:
            raise _bad("the parameters top_k and add_softmax", unknown[0])
        top_k, add_softmax = value.get("top_k"), value.get("add_softmax", True)
        if top_k is not None and (type(top_k) is not int or top_k < 1):
            raise _bad("a whole number of at least 1 for 'top_k'", top_k)
        if not isinstance(add_softmax, bool):
            raise _bad("true or false for 'add_softmax'", add_softmax)
        return cls(top_k, add_softmax)


@dataclass(frozen=True)
class ImageProblem:
    """Why one image has no scores: a code for programs and a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True)
class ImageAddress:
    """Where an image is to be had."""

    url: str


@dataclass(frozen=True)
class ScoreItem:
    """An image to score: its encoded bytes, where they are, or why there are none."""

    content: bytes | ImageAddress | ImageProblem
    parameters: Parameters


@dataclass(frozen=True)
class ScoreRequest:
    """A scoring request.

    Attributes:
        items: The images in order; at least one.
        as_list: Whether the answer is to be a bare list.
    """

    items: Sequence[ScoreItem]
    as_list: bool

    @classmethod
    def parse(cls, content_type: str, body: bytes, max_images: int) -> ScoreRequest:
        """Reads a body.

        Raises:
            UnsupportedMediaTypeError: If it is neither JSON nor multipart.
            BadRequestError: If it is no scoring request.
            TooManyImagesError: If it has more than `max_images` images.
        """
        kind = content_type.partition(";")[0].strip().lower()
        if kind == "application/json":
            request = _from_json(body, max_images)
        elif kind == "multipart/form-data":
            request = _from_multipart(content_type, body, max_images)
        else:
            raise UnsupportedMediaTypeError(
                "expected the Content-Type application/json or multipart/form-data, found "
                f"{_shown(kind) if kind else 'none'}; set it to what the body is."
            )
        if not request.items:
            raise BadRequestError(
                f"expected 1 to {max_images} images, found none; add one to the request."
            )
        return request


def _from_json(body: bytes, max_images: int) -> ScoreRequest:
    if sum(body.count(mark) for mark in b"[{,") > _JSON_MARKS_PER_IMAGE * max_images:
        raise TooManyImagesError(
            f"expected at most {max_images} images, found a body of far more values; send less."
        )
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequestError(
            "expected a body of JSON, found one that cannot be read as such; check how it is made."
        ) from None
    if isinstance(content, list):
        _check_count(len(content), max_images)
        return ScoreRequest([_list_item(entry) for entry in content], as_list=True)
    if not isinstance(content, dict):
        raise _bad("an object with 'images', or a list", content)
    _check_keys(content, required={"images"}, allowed={"images", "parameters"})
    images = content["images"]
    if not isinstance(images, list):
        raise _bad("a list for 'images'", images)
    _check_count(len(images), max_images)
    parameters = Parameters.parse(content.get("parameters"))
    return ScoreRequest([ScoreItem(_image(one), parameters) for one in images], as_list=False)


def _from_multipart(content_type: str, body: bytes, max_images: int) -> ScoreRequest:
    parts = multipart.parse(content_type, body)
    files = [part.content for part in parts if part.is_file]
    _check_count(len(files), max_images)
    fields = [part for part in parts if not part.is_file]
    parameters = Parameters()
    for field in fields:
        if field.name != "parameters" or len(fields) > 1:
            raise _bad("image files and at most one field 'parameters'", field.name)
        try:
            parameters = Parameters.parse(json.loads(field.content))
        except (ValueError, RecursionError):
            raise _bad("JSON in the field 'parameters'", "other text") from None
    return ScoreRequest([ScoreItem(content, parameters) for content in files], as_list=False)


def _list_item(entry: Any) -> ScoreItem:
    if not isinstance(entry, dict):
        raise _bad("an object for each image of the list", entry)
    _check_keys(entry, required={"image_in_base64"}, allowed={"image_in_base64", "parameters"})
    text = entry["image_in_base64"]
    if not isinstance(text, str):
        raise _bad("text for 'image_in_base64'", text)
    return ScoreItem(_decoded(text), Parameters.parse(entry.get("parameters")))


def _image(value: Any) -> bytes | ImageAddress | ImageProblem:
    if not isinstance(value, dict) or len(value) != 1 or not set(value) <= {"b64", "url"}:
        raise _bad("{'b64': …} or {'url': …} for each image", value)
    ((kind, text),) = value.items()
    if not isinstance(text, str):
        raise _bad(f"text for {kind!r}", text)
    return ImageAddress(text) if kind == "url" else _decoded(text)


def _decoded(text: str) -> bytes | ImageProblem:
    if text[:2] in ("b'", 'b"') and len(text) > 2 and text.endswith(text[1]):
        # Older clients send str(bytes); base64 needs no escapes but that of a line's end.
        text = text[2:-1].replace("\\n", "")
    try:
        return base64.b64decode(text.translate(_WHITESPACE).encode("ascii"), validate=True)
    except ValueError:
        return ImageProblem(
            "bad_base64",
            "expected an image in base64, found text that is not base64; encode the file's bytes.",
        )


def _check_count(found: int, most: int) -> None:
    if found > most:
        raise TooManyImagesError(
            f"expected at most {most} images, found {found}; send them in several requests."
        )


def _check_keys(value: Mapping[str, Any], required: set[str], allowed: set[str]) -> None:
    wanted = " and ".join(repr(name) for name in sorted(allowed))
    missing, unknown = sorted(required - set(value)), sorted(set(value) - allowed)
    if missing:
        raise BadRequestError(
            f"expected the key {missing[0]!r}, found an object without it; add it."
        )
    if unknown:
        raise _bad(f"the keys {wanted}", unknown[0])


def _bad(expected: str, found: Any) -> BadRequestError:
    return BadRequestError(
        f"expected {expected}, found {_shown(found)}; see /openapi.json for the form."
    )


def _shown(value: Any) -> str:
    """Returns a client's value in a few harmless characters."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = ascii(value)
    return text if len(text) <= 40 else text[:40] + "…"
