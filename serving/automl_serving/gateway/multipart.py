"""Reads multipart/form-data that lies in memory: nothing of a client's image touches a disk."""

from __future__ import annotations

from dataclasses import dataclass

from multipart import (
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from automl_serving.gateway.errors import BadRequestError

_MAX_PARTS = 1000


@dataclass(frozen=True)
class Part:
    """One part of a form.

    Attributes:
        name: What the form calls it.
        is_file: Whether it names a file, be it by an empty name.
        content: Its bytes.
    """

    name: str
    is_file: bool
    content: bytes


def parse(content_type: str, body: bytes) -> list[Part]:
    """Reads a body whose `Content-Type` header is `content_type`.

    Raises:
        BadRequestError: If it is not made up as that says.
    """
    parts: list[Part] = []
    name, is_file, content = "", False, b""
    try:
        boundary = parse_options_header(content_type)[1].get("boundary", "")
        # Of names, only those in ASCII are looked at: a charset that has all bytes refuses none.
        limits = {"max_segment_count": _MAX_PARTS, "header_charset": "latin-1"}
        with PushMultipartParser(boundary, **limits) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    name, is_file, content = event.name or "", _is_file(event), b""
                elif event is None:
                    parts.append(Part(name, is_file, content))
                else:
                    content = event  # the whole of it, as the body is given at once
    except (MultipartError, ValueError):
        raise BadRequestError(
            "expected a whole multipart/form-data body, found another or one cut off; let the "
            "client library write it and its boundary."
        ) from None
    return parts


def _is_file(segment: MultipartSegment) -> bool:
    # Requests with urllib3 1 writes a name that is not ASCII so, though RFC 7578 says not to.
    return segment.filename is not None or "filename*=" in segment["Content-Disposition"]
