"""Asks again where a fetch failed for a reason that may pass, when the server would like it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from automl.errors import DownloadError

if TYPE_CHECKING:
    from automl.downloads.fetching import Fetched, Fetcher

PAUSES = (0.5, 2.0)
"""Seconds before the second and the third try, where the server does not say."""

LONGEST = 90.0
"""What a server may ask to wait, in seconds; beyond it the fetch has failed."""


def fetch_patiently(
    fetcher: Fetcher, url: str, pause: Callable[[float], object] = time.sleep
) -> Fetched:
    """Fetches the file at `url`, in up to three tries.

    Args:
        fetcher: Fetches it.
        url: The address.
        pause: Waits for some seconds; it may return sooner where nobody wants the file any more.

    Raises:
        DownloadError: As `Fetcher.fetch` does; the last try's.
    """
    for usual in PAUSES:
        try:
            return fetcher.fetch(url)
        except DownloadError as error:
            seconds = usual if error.wait is None else error.wait
            if not error.temporary or seconds > LONGEST:
                raise
        pause(seconds)
    return fetcher.fetch(url)
