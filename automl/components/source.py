"""Where images come from, and who answers a text query with image addresses."""

from __future__ import annotations

import abc
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

SPLITS = ("train", "val", "test")
"""The names of splits."""


class ImageRecord(NamedTuple):
    """One labelled image, as a source names it; a tuple, since there may be a million.

    Attributes:
        path: The image file.
        label: Its class, as the user wrote it.
        split: `"train"`, `"val"`, `"test"`, or `None` where the source does not say.
        origin: Where the picture came from, in words or as an address; empty if unknown.
        name: What the user calls it; empty for the file's own name.
        more: What else is known of it, by column, such as whom it shows.
    """

    path: str | os.PathLike[str]
    label: str
    split: str | None = None
    origin: str = ""
    name: str = ""
    more: Mapping[str, str] = MappingProxyType({})


class Rejected(NamedTuple):
    """A row that a source cannot use; the others are used all the same.

    Attributes:
        reason: One sentence that names the row.
    """

    reason: str


class ImageSource(abc.ABC):
    """Reads one kind of place that holds labelled images."""

    name: str

    @abc.abstractmethod
    def accepts(self, location: str) -> bool:
        """Says whether `location` (a path or an address) is of this source's kind."""

    @abc.abstractmethod
    def read(self, location: str, folder: Path) -> Iterator[ImageRecord | Rejected]:
        """Yields the labelled images at `location`, in a fixed order.

        Args:
            location: A path or an address.
            folder: Where pictures that are no files yet may be unpacked or downloaded to, so
                that they are there as long as the workspace is. It may not exist.

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
