"""Reads a request's body, counting it on the stream."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from automl.errors import DataError


class BodyTooLargeError(DataError):
    """A body of more bytes than allowed."""

    http_status = 413
    code = "body_too_large"


async def read_body(
    request: Request, limit: int, hold: Callable[[int, int], None] = lambda size, announced: None
) -> bytes:
    """Returns the body.

    Args:
        request: The request.
        limit: The most bytes.
        hold: Is told how many have come before they are kept and, first, how many are announced;
            it may raise.

    Raises:
        BodyTooLargeError: If it has, or announces, more than `limit` bytes; the rest stays
            unread then.
        starlette.requests.ClientDisconnect: If the client goes away.
    """
    announced = request.headers.get("content-length", "")
    length = int(announced) if announced.isdecimal() else 0
    if length > limit:
        raise _too_large(limit, f"one of {length:,}")
    hold(0, length)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit, "a larger one")
        hold(size, 0)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int, found: str) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"expected a body of at most {limit:,} bytes, found {found}; send less at a time."
    )
