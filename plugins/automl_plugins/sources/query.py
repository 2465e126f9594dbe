"""Pictures that answer queries: what to look for stands in a file, class by class."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from automl.components import ImageRecord, ImageSource, Rejected, SearchProvider
from automl.data.web import downloaded, is_address
from automl.errors import DataError, UsageError
from automl.plugins import plugin_manager
from automl_plugins.sources.copies import without_copies
from automl_plugins.sources.folder import files_below
from automl_plugins.sources.query_file import Entry, read_query_file
from automl_plugins.sources.searching import search

PROVIDER = "openverse"
COUNT = 100
MOST = 10_000
"""The most pictures of a query that may be asked for."""

Row = ImageRecord | Rejected


class QuerySource(ImageSource):
    """Reads JSON such as `{"cup": ["plastic cup", "../cups", "https://example.org/cup.jpg"]}`.

    What begins with `https://` or `http://` is a picture's address; whatever else has a slash in
    it is a file or a folder, relative to the query file; any other text is looked for with a
    search provider. Each picture has the entry that it is for in the column `query`, and those
    that were found also `provider`, `license`, `license_url`, `author` and `source` (the page
    that shows it). Pictures that are the same file are taken once.

    Options are `provider` and `count`, how many pictures are asked for with each text.
    """

    name = "query"

    def __init__(
        self,
        provider: str = PROVIDER,
        count: int = COUNT,
        variable: Callable[[str], str] = lambda name: os.environ.get(name, ""),
    ) -> None:
        self._provider = provider
        self._count = count
        self._variable = variable

    def configured(self, options: Mapping[str, str], variable: Callable[[str], str]) -> ImageSource:
        """Returns the source with another `provider` or `count`.

        Raises:
            UsageError: If there is no such option, or `count` is no number from 1 to 10,000.
        """
        unknown = options.keys() - {"provider", "count"}
        if unknown:
            raise UsageError(
                f"expected the options provider and count for a query file, found "
                f"{', '.join(sorted(unknown))}; correct it."
            )
        count = str(options.get("count", self._count))
        if not (count.isascii() and count.isdecimal() and 1 <= int(count[:9]) <= MOST):
            raise UsageError(
                f"expected a count from 1 to {MOST:,} pictures a query, found {count[:40]!r}; "
                f"correct it."
            )
        return QuerySource(options.get("provider", self._provider), int(count), variable)

    def accepts(self, location: str) -> bool:
        """Says whether the file's name ends as JSON's does."""
        return location.lower().endswith(".json") and not Path(location).is_dir()

    def read(self, location: str, folder: Path) -> Iterator[Row]:
        """Yields the pictures, entry by entry as they stand in the file.

        Raises:
            DataError: If it is missing or is no query file.
            UsageError: If there is no such provider, or its key is missing or refused.
        """
        path = Path(location)
        entries = list(read_query_file(path))
        if any(isinstance(entry, Entry) and entry.is_query for entry in entries):
            self._key(self._chosen())  # before anything is downloaded
        rows = self._rows(entries, path.absolute().parent, folder)
        yield from without_copies(downloaded(rows, folder, _place), _place)

    def _rows(self, entries: Iterable[Entry | Rejected], base: Path, folder: Path) -> Iterator[Row]:
        for entry in entries:
            if isinstance(entry, Rejected):
                yield entry
            elif entry.is_query:
                yield from self._found(entry, folder)
            elif is_address(entry.text):
                yield _record(entry, entry.text)
            else:
                yield from _local(entry, base)

    def _found(self, entry: Entry, folder: Path) -> Iterator[Row]:
        provider = self._chosen()
        key = self._key(provider)
        empty = True
        try:
            for image in search(provider, entry.text, self._count, key, folder):
                empty = False
                facts = {
                    "provider": provider.name,
                    "license": image.license,
                    "license_url": image.license_url,
                    "author": image.author,
                    "source": image.source,
                }
                known = {name: value for name, value in facts.items() if value}
                yield _record(entry, image.url, known)
        except DataError as error:
            yield Rejected(f"{str(error).rstrip('.')} ({entry}).")
        else:
            if empty:
                yield Rejected(
                    f"expected {provider.name} to find pictures, found none ({entry}); put it in "
                    f"other words."
                )

    def _chosen(self) -> SearchProvider:
        return plugin_manager().search_providers[self._provider]

    def _key(self, provider: SearchProvider) -> str:
        name = provider.key_variable
        key = self._variable(name) if name else ""
        if name and not key:
            raise UsageError(
                f"expected a key for {provider.name}, found none; set {name}, in the environment "
                f"or in the workspace's settings.json."
            )
        return key


def _local(entry: Entry, base: Path) -> Iterator[Row]:
    path = os.path.join(base, entry.text)  # noqa: PTH118 - a Path would raise for odd names
    if os.path.isfile(path):  # noqa: PTH113
        yield _record(entry, path)
        return
    empty = True
    for file in files_below(Path(path)):
        empty = False
        yield _record(entry, file)
    if empty:
        found = "no files in it" if os.path.isdir(path) else "nothing"  # noqa: PTH112
        yield Rejected(f"expected a folder or file at {path}, found {found} ({entry}); correct it.")


def _record(entry: Entry, path: str | Path, facts: Mapping[str, str] | None = None) -> ImageRecord:
    origin = str(path) if is_address(path) else ""
    more = {"query": entry.text, **(facts or {})}
    return ImageRecord(path, entry.label, origin=origin, more=more)


def _place(row: ImageRecord) -> str:
    return str(Entry(row.label, row.more["query"]))
