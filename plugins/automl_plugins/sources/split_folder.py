"""A folder that is split already: `train/`, `val/` and `test/`, each with class folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from automl.components import ImageRecord, ImageSource
from automl.errors import DataError
from automl_plugins.sources.folder import FolderSource, is_class
from automl_plugins.sources.table import SPLIT_NAMES


class SplitFolderSource(ImageSource):
    """Reads `train/` beside `val/` or `test/`, where there are no other folders."""

    name = "split-folder"

    def accepts(self, location: str) -> bool:
        """Says whether all folders there are splits, `train` among them, with folders in each."""
        parts = _parts(Path(location))
        return (
            "train" in parts.values()
            and len(parts) > 1
            and all(any(map(is_class, part.iterdir())) for part in parts)
        )

    def read(self, location: str, folder: Path) -> Iterator[ImageRecord]:
        """Yields the images split by split, classes and files in alphabetical order.

        Raises:
            DataError: If there are no splits, or one is without images.
        """
        parts = _parts(Path(location))
        if not parts:
            raise DataError(
                f"expected a folder with train/ and val/ or test/ at {location}, found none; "
                f"check the path."
            )
        for part, split in parts.items():
            for record in FolderSource().read(str(part), folder):
                yield record._replace(split=split)


def _parts(root: Path) -> dict[Path, str]:
    """Returns the splits' folders with their splits; none where there are other folders."""
    if not root.is_dir():
        return {}
    folders = sorted(child for child in root.iterdir() if is_class(child))
    splits = {each: SPLIT_NAMES.get(each.name.lower(), "") for each in folders}
    return splits if all(splits.values()) else {}
