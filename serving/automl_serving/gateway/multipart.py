"""Reads multipart/form-data that lies in memory: nothing of a client's image touches a disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from automl_serving.gateway.errors import BadRequestError

_MAX_PARTS = 1000


@dataclass(frozen=True)
class Part:
    """One part of a form: a field, or a file if it has a filename."""

    name: str
    filename: str | None
    content: bytes


def parse(content_type: str, body: bytes) -> list[Part]:
    """Reads a body whose `Content-Type` header is `content_type`.

    Raises:
        BadRequestError: If it is not made up as that says.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError):
        reader.complete = False
    if not reader.complete or not boundary:
        raise BadRequestError(
            "expected a whole multipart/form-data body, found another or one cut off; let the "
            "client library write it and its boundary."
        )
    return reader.parts


class _Reader:
    """Collects parts from the parser's callbacks."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.complete = False
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._content: list[bytes] = []

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def _begin(self) -> None:
        self._disposition, self._content = b"", []

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def _on_part_end(self) -> None:
        if len(self.parts) >= _MAX_PARTS:
            raise ValueError("too many parts")
        options = parse_options_header(self._disposition)[1]
        name = options.get(b"name", b"").decode("utf-8", "replace")
        filename = options.get(b"filename")
        shown = None if filename is None else filename.decode("utf-8", "replace")
        self.parts.append(Part(name, shown, b"".join(self._content)))

    def _on_end(self) -> None:
        self.complete = True
