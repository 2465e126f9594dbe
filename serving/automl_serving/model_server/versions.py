"""Which versions of a model there are on disk, and which of them are to be served.

As tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc decides it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from automl.errors import NotFoundError
from automl_serving.model_server.config import ModelConfig


def wanted_versions(config: ModelConfig) -> dict[int, Path]:
    """Returns the folders to serve by version, in ascending order.

    Only folders whose names are whole numbers count, so that a version that is still being
    written under another name is left alone.

    Raises:
        NotFoundError: If the base path cannot be read.
    """
    try:
        found = {
            int(child.name): child
            for child in sorted(config.base_path.iterdir())
            if child.name.isascii() and child.name.isdecimal() and child.is_dir()
        }
    except OSError as error:
        raise NotFoundError(
            f"expected a folder of versions of {config.name} at {config.base_path}, found that it "
            f"cannot be read ({error.strerror}); correct its base path."
        ) from error
    versions = sorted(found)
    if config.specific:
        versions = [version for version in versions if version in config.specific]
    elif config.latest:
        versions = versions[-config.latest :]
    return {version: found[version] for version in versions}


def stamp(path: Path) -> tuple[int, int]:
    """Returns what changes while a version's folder is written: its files, and their last change.

    So that a version which could not be loaded is tried again once it is complete.
    """
    changes = [0]
    with contextlib.suppress(OSError):  # a folder has gone meanwhile: it will change again
        for child in path.rglob("*"):
            with contextlib.suppress(OSError):
                changes.append(child.stat().st_mtime_ns)
    return len(changes), max(changes)
