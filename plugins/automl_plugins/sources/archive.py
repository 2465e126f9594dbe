"""A zip or tar of anything that another source reads."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from automl.components import ImageRecord, ImageSource, Rejected
from automl.errors import DataError
from automl.files import appearing
from automl_plugins.sources.csv import CsvSource
from automl_plugins.sources.folder import FolderSource
from automl_plugins.sources.idx import IdxSource
from automl_plugins.sources.jsonl import JsonlSource
from automl_plugins.sources.parquet import ParquetSource
from automl_plugins.sources.split_folder import SplitFolderSource
from automl_plugins.sources.unpacking import unpack

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class ArchiveSource(ImageSource):
    """Unpacks an archive once, then reads the folder, table or IDX files in it."""

    name = "archive"

    def accepts(self, location: str) -> bool:
        """Says whether the file's name ends as archives' do."""
        return location.lower().endswith(ENDINGS) and not Path(location).is_dir()

    def read(self, location: str, folder: Path) -> Iterator[ImageRecord | Rejected]:
        """Yields what is inside, as the source for that does.

        Raises:
            DataError: If the archive is damaged or unsafe, naming the member, or holds nothing
                that is read.
        """
        path = Path(location)
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        except OSError as error:
            raise DataError(
                f"expected an archive at {path}, found that it cannot be read "
                f"({error.strerror}); check the path."
            ) from error
        place = folder / f"{path.name.split('.')[0][:40]}-{digest}"
        if not place.is_dir():
            with contextlib.suppress(FileExistsError), appearing(place) as made:
                unpack(path, made)
        yield from _read(place, folder)


def _read(place: Path, folder: Path) -> Iterator[ImageRecord | Rejected]:
    inside = [child for child in place.iterdir() if not child.name.startswith((".", "__MACOSX"))]
    tables = [CsvSource(), JsonlSource(), ParquetSource()]
    for child in sorted(inside):
        for table in tables:
            if table.accepts(str(child)):
                return table.read(str(child), folder)
    for source in (IdxSource(), SplitFolderSource()):
        if source.accepts(str(place)):
            return source.read(str(place), folder)
    # Most archives hold one folder that holds everything.
    if len(inside) == 1 and inside[0].is_dir() and _is_wrapper(inside[0]):
        return _read(inside[0], folder)
    return FolderSource().read(str(place), folder)


def _is_wrapper(folder: Path) -> bool:
    """Says whether `folder` holds more than the pictures of a class."""
    return _holds_folders(folder) or any(
        source.accepts(str(child))
        for child in (folder, *folder.iterdir())
        for source in (CsvSource(), JsonlSource(), ParquetSource(), IdxSource())
    )


def _holds_folders(folder: Path) -> bool:
    return any(child.is_dir() for child in folder.iterdir())
