"""Pictures on the web, downloaded once and kept by their address."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from automl.components import ImageRecord, Rejected
from automl.files import replacing

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 50_000_000
"""The largest picture that is downloaded."""

SECONDS = 20.0
"""How long a server may keep silent."""

_AT_A_TIME = 8
_AHEAD = 4 * _AT_A_TIME

Row = ImageRecord | Rejected


def is_address(path: object) -> bool:
    """Says whether a record's path is an address on the web."""
    # Asked of a million rows: most are told by their first letter.
    if not isinstance(path, str) or path[:1] not in "hH":
        return False
    return path[:8].lower().startswith(("http://", "https://"))


def downloaded(rows: Iterable[Row], folder: Path) -> Iterator[Row]:
    """Yields `rows` in their order, those at addresses with files under `folder` in their place.

    A picture that cannot be had becomes a `Rejected` that names its address.
    """
    import httpx

    waiting: deque[Row | Future[Row]] = deque()
    with (
        ThreadPoolExecutor(_AT_A_TIME) as pool,
        httpx.Client(follow_redirects=True, timeout=SECONDS) as client,
    ):
        for row in rows:
            if isinstance(row, ImageRecord) and is_address(row.path):
                waiting.append(pool.submit(_fetched, client, row, folder / "downloads"))
            elif not waiting:
                yield row
                continue
            else:
                waiting.append(row)
            while waiting and (len(waiting) > _AHEAD or not isinstance(waiting[0], Future)):
                yield _done(waiting.popleft())
        while waiting:
            yield _done(waiting.popleft())


def _done(row: Row | Future[Row]) -> Row:
    return row.result() if isinstance(row, Future) else row


def _fetched(client: httpx.Client, row: ImageRecord, folder: Path) -> Row:
    import httpx

    address = str(row.path)
    name = hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    path = folder / name[:2] / name
    if path.is_file():
        return row._replace(path=path)
    try:
        with client.stream("GET", address) as answer, replacing(path) as file:
            answer.raise_for_status()
            size = 0
            for piece in answer.iter_bytes():
                size += len(piece)
                if size > MAX_BYTES:
                    raise httpx.HTTPError(f"more than {MAX_BYTES:,} bytes")
                file.write(piece)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        shown = address[:200]
        return Rejected(
            f"expected a picture at {shown}, found: {reason.rstrip('.')}; check the address."
        )
    name = row.name or address.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    return row._replace(path=path, name=name)
