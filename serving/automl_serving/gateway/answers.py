"""Answers in JSON: what was asked for, or what went wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

JSON = "application/json"

_encoder = json.JSONEncoder(allow_nan=False)


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Returns `content` as JSON that no cache keeps."""
    return encoded(_encoder.encode(content).encode(), status, headers)


def encoded(
    content: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Returns what is JSON already."""
    return Response(content, status, {"cache-control": "no-store", **(headers or {})}, JSON)


def problem(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Returns an error: a code for programs and a sentence for people."""
    return answer({"error": {"code": code, "message": message}}, status, headers)
