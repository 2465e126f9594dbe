"""A folder of class folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from automl.components import ImageRecord, ImageSource
from automl.errors import DataError
from automl.workspace import MARKER


class FolderSource(ImageSource):
    """Reads a folder whose sub-folders are the classes, each with images at any depth.

    Symbolic links are followed, each real folder once a class. Hidden files are passed over;
    whatever else lies in a class folder is taken for an image, and what turns out to be none
    is set aside and listed later, so that nothing is left out in silence.
    """

    name = "folder"

    def accepts(self, location: str) -> bool:
        """Says whether `location` is a folder."""
        return Path(location).is_dir()

    def read(self, location: str, folder: Path) -> Iterator[ImageRecord]:
        """Yields the images, classes and files in alphabetical order.

        Raises:
            DataError: If the folder is missing, or has no sub-folders with files in them.
        """
        root = Path(location)
        if not root.is_dir():
            found = "a file" if root.exists() else "nothing"
            raise DataError(
                f"expected a folder of class folders, found {found} at {root}; check the path."
            )
        empty = True
        for group in sorted(child for child in root.iterdir() if is_class(child)):
            for path in files_below(group):
                empty = False
                yield ImageRecord(path, group.name)
        if empty:
            raise DataError(_nothing(root))


def is_class(path: Path) -> bool:
    """Says whether `path` is a folder that may be a class."""
    # A search that is begun among the class folders has its workspace beside them.
    hidden = path.name.startswith(".") or (path / MARKER).is_file()
    return path.is_dir() and not hidden


def files_below(folder: Path) -> Iterator[Path]:
    """Yields the files at any depth in alphabetical order, hidden ones left out."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(place, name)


def _nothing(root: Path) -> str:
    from automl.images import SUFFIXES

    images = sum(1 for path in root.iterdir() if path.suffix.lower() in SUFFIXES)
    found = "no sub-folders with images"
    if images:
        found = f"{images} image{'s' if images > 1 else ''} without class folders"
    return (
        f"expected {root} to hold a sub-folder for each class, such as {root.name or 'images'}"
        f"/cat/1.jpg, found {found}; sort the images into folders."
    )
