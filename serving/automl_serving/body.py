"""Reads a request's body, counting it on the stream."""

from __future__ import annotations

from starlette.requests import Request

from automl.errors import DataError


class BodyTooLargeError(DataError):
    """A body of more bytes than allowed."""

    http_status = 413
    code = "body_too_large"


async def read_body(request: Request, limit: int) -> bytes:
    """Returns the body.

    Raises:
        BodyTooLargeError: If it has, or announces, more than `limit` bytes; the rest stays
            unread then.
        starlette.requests.ClientDisconnect: If the client goes away.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit, f"one of {int(announced):,}")
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit, "a larger one")
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int, found: str) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"expected a body of at most {limit:,} bytes, found {found}; send less at a time."
    )
