"""Flickr: photos that their authors have licensed, with a key.

As documented at https://www.flickr.com/services/api/flickr.photos.search.html; the licences at
https://www.flickr.com/services/api/flickr.photos.licenses.getInfo.html, the page of a photo at
https://www.flickr.com/services/api/misc.urls.html. This product uses the Flickr API but is not
endorsed or certified by SmugMug, Inc.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from automl.components import FoundImage, SearchProvider
from automl.data.web import is_address
from automl.downloads.json_service import ask
from automl.errors import DownloadError, UsageError
from automl_plugins.search_providers.answers import number, objects, text

PAGE_SIZE = 250
MOST = 4000
"""Flickr shows no more of a query; on later pages it would repeat itself."""

CC = "https://creativecommons.org/"
LICENSES = {
    "1": ("CC BY-NC-SA 2.0", f"{CC}licenses/by-nc-sa/2.0/"),
    "2": ("CC BY-NC 2.0", f"{CC}licenses/by-nc/2.0/"),
    "3": ("CC BY-NC-ND 2.0", f"{CC}licenses/by-nc-nd/2.0/"),
    "4": ("CC BY 2.0", f"{CC}licenses/by/2.0/"),
    "5": ("CC BY-SA 2.0", f"{CC}licenses/by-sa/2.0/"),
    "6": ("CC BY-ND 2.0", f"{CC}licenses/by-nd/2.0/"),
    "7": ("no known copyright restrictions", "https://www.flickr.com/commons/usage/"),
    "8": ("United States government work", "https://www.usa.gov/copyright.shtml"),
    "9": ("CC0 1.0", f"{CC}publicdomain/zero/1.0/"),
    "10": ("Public Domain Mark 1.0", f"{CC}publicdomain/mark/1.0/"),
    "11": ("CC BY 4.0", f"{CC}licenses/by/4.0/"),
    "12": ("CC BY-SA 4.0", f"{CC}licenses/by-sa/4.0/"),
    "13": ("CC BY-ND 4.0", f"{CC}licenses/by-nd/4.0/"),
    "14": ("CC BY-NC 4.0", f"{CC}licenses/by-nc/4.0/"),
    "15": ("CC BY-NC-SA 4.0", f"{CC}licenses/by-nc-sa/4.0/"),
    "16": ("CC BY-NC-ND 4.0", f"{CC}licenses/by-nc-nd/4.0/"),
}
"""Flickr's numbers of licences, all but 0: all rights reserved."""

SIZES = ("url_l", "url_c", "url_z", "url_m")
"""Sides of 1024, 800, 640 and 500 pixels; a photo has those that are smaller than itself."""

_INVALID_KEY = 100


class FlickrProvider(SearchProvider):
    """Asks Flickr for photos under a licence that lets others use them, safe ones only."""

    name = "flickr"
    key_variable = "AUTOML_FLICKR_KEY"

    def __init__(self, url: str = "https://api.flickr.com/services/rest/") -> None:
        self.url = url

    def search(self, query: str, count: int, key: str = "") -> Iterator[FoundImage]:
        """Yields at most `count` images.

        Raises:
            UsageError: If Flickr does not know the key.
            DownloadError: If it does not answer.
        """
        return itertools.islice(self._images(query, key), count)

    def _images(self, query: str, key: str) -> Iterator[FoundImage]:
        for page in range(1, MOST // PAGE_SIZE + 1):
            photos = self._page(query, key, page)
            for photo in objects(photos, "photo"):
                address = next(filter(is_address, (text(photo, size) for size in SIZES)), "")
                if address:
                    yield _found(photo, address)
            if page >= number(photos, "pages"):
                return

    def _page(self, query: str, key: str, page: int) -> dict[str, Any]:
        parameters: dict[str, str | int] = {
            "method": "flickr.photos.search",
            "api_key": key,
            "text": query,
            "license": ",".join(LICENSES),
            "sort": "relevance",
            "safe_search": 1,
            "media": "photos",
            "content_types": 0,
            "extras": ",".join(("license", "owner_name", *SIZES)),
            "per_page": PAGE_SIZE,
            "page": page,
            "format": "json",
            "nojsoncallback": 1,
        }
        answer = ask("Flickr", self.url, parameters)
        if answer.get("code") == _INVALID_KEY:
            raise UsageError(
                f"expected a key that Flickr knows in {self.key_variable}, found another; get one "
                f"at https://www.flickr.com/services/apps/create/."
            )
        photos = answer.get("photos")
        if not isinstance(photos, dict):
            found = text(answer, "message")[:200] or "something else"
            raise DownloadError(
                f"expected photos of Flickr, found {found}; try again later.", found
            )
        return photos


def _found(photo: Mapping[str, Any], address: str) -> FoundImage:
    name, url = LICENSES.get(text(photo, "license"), ("", ""))
    return FoundImage(
        url=address,
        license=name,
        license_url=url,
        author=text(photo, "ownername"),
        source=f"https://www.flickr.com/photos/{text(photo, 'owner')}/{text(photo, 'id')}",
    )
