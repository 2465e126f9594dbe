"""Openverse: openly licensed pictures of many collections, without a key.

As documented at https://api.openverse.org/v1/ and, on its limits,
https://docs.openverse.org/api/reference/authentication_and_throttling.html.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from automl.components import FoundImage, SearchProvider
from automl.data.web import is_address
from automl.downloads.json_service import ask
from automl_plugins.search_providers.answers import number, objects, text

PAGE_SIZE = 20
"""The largest page for who has no account."""


class OpenverseProvider(SearchProvider):
    """Asks Openverse, which leaves out what it holds for sensitive.

    How many pages it shows of a query is limited, too: it says how many there are.
    """

    name = "openverse"

    def __init__(self, url: str = "https://api.openverse.org/v1/images/") -> None:
        self.url = url

    def search(self, query: str, count: int, key: str = "") -> Iterator[FoundImage]:
        """Yields at most `count` images.

        Raises:
            DownloadError: If Openverse does not answer.
        """
        return itertools.islice(self._images(query), count)

    def _images(self, query: str) -> Iterator[FoundImage]:
        for page in itertools.count(1):
            answer = ask("Openverse", self.url, {"q": query, "page": page, "page_size": PAGE_SIZE})
            for image in objects(answer, "results"):
                if is_address(text(image, "url")):
                    yield _found(image)
            if page >= number(answer, "page_count"):
                return


def _found(image: Mapping[str, Any]) -> FoundImage:
    licence = (text(image, "license"), text(image, "license_version"))
    return FoundImage(
        url=text(image, "url"),
        license=" ".join(filter(None, licence)),
        license_url=text(image, "license_url"),
        author=text(image, "creator"),
        source=text(image, "foreign_landing_url"),
    )
