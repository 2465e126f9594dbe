"""Where images come from, and who answers a text query with image addresses."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ImageRecord:
    """One labelled image, as a source names it.

    Attributes:
        path: The image file.
        label: Its class, as the user wrote it.
        split: `"train"`, `"val"`, `"test"`, or `None` where the source does not say.
        origin: Where the picture came from, in words or as an address; empty if unknown.
    """

    path: Path
    label: str
    split: str | None = None
    origin: str = ""


class ImageSource(abc.ABC):
    """Reads one kind of place that holds labelled images."""

    name: str

    @abc.abstractmethod
    def accepts(self, location: str) -> bool:
        """Says whether `location` (a path or an address) is of this source's kind."""

    @abc.abstractmethod
    def read(self, location: str) -> Iterator[ImageRecord]:
        """Yields the labelled images at `location`, in a fixed order.

        Raises:
            DataError: If nothing there can be used, with the reason.
        """


@dataclass(frozen=True)
class FoundImage:
    """One answer of a search provider.

    Attributes:
        url: The address of the picture itself.
        license: Its licence, as the provider names it.
        author: Who made it; empty if unknown.
        source: The page that shows it.
    """

    url: str
    license: str = ""
    author: str = ""
    source: str = ""


class SearchProvider(abc.ABC):
    """Answers a text query with image addresses."""

    name: str

    @abc.abstractmethod
    def search(self, query: str, count: int) -> Iterator[FoundImage]:
        """Yields at most `count` images for `query`, best first."""
