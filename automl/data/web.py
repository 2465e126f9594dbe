"""Pictures on the web, downloaded once and kept by their address."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from automl.components import ImageRecord, Rejected
from automl.errors import DownloadError, UsageError
from automl.files import replacing

if TYPE_CHECKING:
    from automl.downloads.fetching import Fetcher

NETWORKS = "AUTOML_FETCH_NETWORKS"
"""Names networks that pictures may come from although they are not public, as `10.1.0.0/16`."""

MAX_BYTES = 50_000_000
"""The largest picture that is downloaded."""

SECONDS = 60.0
"""How long a picture may take."""

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

    A picture that cannot be had becomes a `Rejected` that names its address. Whoever wrote the rows
    may be somebody else: only hosts on the internet are asked, and networks in `NETWORKS`.

    Raises:
        UsageError: If `NETWORKS` names none.
    """
    waiting: deque[Row | Future[Row]] = deque()
    fetcher: Fetcher | None = None
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for row in rows:
            if isinstance(row, ImageRecord) and is_address(row.path):
                fetcher = fetcher or _fetcher()
                waiting.append(pool.submit(_fetched, fetcher, row, folder / "downloads"))
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


def _fetcher() -> Fetcher:
    from automl.downloads.addresses import parse_networks
    from automl.downloads.fetching import Fetcher, FetchRules

    text = os.environ.get(NETWORKS, "")
    try:
        networks = parse_networks(text)
    except ValueError:
        raise UsageError(
            f"expected networks such as 10.1.0.0/16,fd00::/8 in {NETWORKS}, found {text!r}; "
            f"correct or unset it."
        ) from None
    return Fetcher(FetchRules(True, networks, MAX_BYTES, SECONDS))


def _fetched(fetcher: Fetcher, row: ImageRecord, folder: Path) -> Row:
    address = str(row.path)
    digest = hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    path = folder / digest[:2] / digest
    if not path.is_file():
        try:
            content = fetcher.fetch(address).content
        except DownloadError as error:
            return Rejected(str(error))
        with replacing(path) as file:
            file.write(content)
    name = row.name or address.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    return row._replace(path=path, name=name)
