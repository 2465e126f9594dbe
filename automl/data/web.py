"""Pictures on the web, downloaded once and kept by their address."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from automl.components import ImageRecord, Rejected
from automl.downloads.environment import make_fetcher
from automl.errors import DownloadError, ImageError
from automl.files import replacing

if TYPE_CHECKING:
    from automl.downloads.fetching import Fetched, Fetcher

MAX_BYTES = 50_000_000
"""The largest picture that is downloaded."""

SECONDS = 60.0
"""How long a picture may take."""

_AT_A_TIME = 8
_AHEAD = 4 * _AT_A_TIME

Row = ImageRecord | Rejected
Place = Callable[[ImageRecord], str]


def is_address(path: object) -> bool:
    """Says whether a record's path is an address on the web."""
    # Asked of a million rows: most are told by their first letter.
    if not isinstance(path, str) or path[:1] not in "hH":
        return False
    return path[:8].lower().startswith(("http://", "https://"))


def _by_label(row: ImageRecord) -> str:
    return f"class {row.label[:60]!r}"


def downloaded(rows: Iterable[Row], folder: Path, place: Place = _by_label) -> Iterator[Row]:
    """Yields `rows` in their order, those at addresses with files under `folder` in their place.

    A picture that cannot be had, or is none, becomes a `Rejected` that names its address. Whoever
    wrote the rows may be somebody else: only hosts on the internet are asked, and networks that
    the environment names.

    Args:
        rows: What a source has found.
        folder: Where the files go; what is there already is not fetched again.
        place: Where a row stands, in words.

    Raises:
        UsageError: If the environment names no networks where it should.
    """
    waiting: deque[Row | Future[Row]] = deque()
    fetcher: Fetcher | None = None
    ended = threading.Event()
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        try:
            for row in rows:
                if isinstance(row, ImageRecord) and is_address(row.path):
                    fetcher = fetcher or make_fetcher(MAX_BYTES, SECONDS)
                    task = (fetcher, row, folder / "downloads", place, ended)
                    waiting.append(pool.submit(_fetched, *task))
                elif not waiting:
                    yield row
                    continue
                else:
                    waiting.append(row)
                while waiting and (len(waiting) > _AHEAD or not isinstance(waiting[0], Future)):
                    yield _done(waiting.popleft())
            while waiting:
                yield _done(waiting.popleft())
        finally:
            ended.set()
            pool.shutdown(cancel_futures=True)


def _done(row: Row | Future[Row]) -> Row:
    return row.result() if isinstance(row, Future) else row


def _fetched(
    fetcher: Fetcher, row: ImageRecord, folder: Path, place: Place, ended: threading.Event
) -> Row:
    from automl.downloads.retrying import fetch_patiently

    address = str(row.path)
    name = row.name or unquote(address.split("?")[0]).rstrip("/").rsplit("/", 1)[-1]
    path = folder / _file(address, name)
    if not path.is_file():
        try:
            found = fetch_patiently(fetcher, address, ended.wait)
        except DownloadError as error:
            return _rejected(row, place, error.reason)
        if not _is_picture(found):
            kind = found.content_type[:60] or "of no type"
            return _rejected(row, place, f"no picture that can be read ({kind})")
        with replacing(path) as file:
            file.write(found.content)
    return row._replace(path=path, name=name)


def _file(address: str, name: str) -> Path:
    """Returns where an address' picture is kept, under a name by which people know it again.

    Without the name's ending, which says what the server likes to call it and not what it is.
    """
    digest = hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()
    stem = re.sub(r"[^\w .()-]+", "_", Path(name).stem)[:40].strip(" .")
    return Path(digest[:2]) / f"{stem}-{digest[:16]}"


def _is_picture(found: Fetched) -> bool:
    """Goes by the content: servers call pictures anything, and pages of errors pictures."""
    from automl.images import probe

    try:
        probe(found.content)
    except ImageError:
        return False
    return True


def _rejected(row: ImageRecord, place: Place, found: str) -> Rejected:
    return Rejected(
        f"expected a picture at {row.path} ({place(row)}), found {found}; check the address."
    )
