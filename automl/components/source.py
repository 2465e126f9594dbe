"""Where images come from, and who answers a text query with image addresses."""

from __future__ import annotations

import abc
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from automl.errors import UsageError

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

    def configured(self, options: Mapping[str, str], variable: Callable[[str], str]) -> ImageSource:
        """Returns the source as a user wants it; this one changes nothing and stays as it is.

        Args:
            options: The source's own, as `--set` gives them; there are none by default.
            variable: Returns an environment variable's value, or what the workspace's settings
                hold in its place; empty if neither says anything.

        Raises:
            UsageError: If an option is unknown or its value is none.
        """
        if options:
            raise UsageError(
                f"expected no options for the image source {self.name}, found "
                f"{', '.join(options)}; leave them out."
            )
        return self

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
        license_url: Where the licence stands; empty if the provider does not say.
        author: Who made it; empty if unknown.
        source: The page that shows it.
    """

    url: str
    license: str = ""
    license_url: str = ""
    author: str = ""
    source: str = ""


class SearchProvider(abc.ABC):
    """Answers a text query with image addresses.

    Attributes:
        name: What users call it.
        key_variable: The environment variable that holds a user's key, such as
            `"AUTOML_FLICKR_KEY"`; empty where the provider wants none.
    """

    name: str
    key_variable: str = ""

    @abc.abstractmethod
    def search(self, query: str, count: int, key: str = "") -> Iterator[FoundImage]:
        """Yields images for `query`, best first, page by page as they are asked for.

        Args:
            query: A user's words.
            count: The most images, 1 or more.
            key: The user's key; empty where the provider wants none.

        Raises:
            UsageError: If the key is not accepted.
            DownloadError: If the provider does not answer; what it has answered so far stands.
        """
