"""The built-in sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import automl


@automl.hookimpl
def automl_image_sources(register: Callable[[Any], None]) -> None:
    """Registers the built-in image sources; a place is read by the first that accepts it."""
    from automl_plugins.sources.archive import ArchiveSource
    from automl_plugins.sources.csv import CsvSource
    from automl_plugins.sources.folder import FolderSource
    from automl_plugins.sources.idx import IdxSource
    from automl_plugins.sources.jsonl import JsonlSource
    from automl_plugins.sources.parquet import ParquetSource
    from automl_plugins.sources.query import QuerySource
    from automl_plugins.sources.split_folder import SplitFolderSource

    register(CsvSource())
    register(JsonlSource())
    register(ParquetSource())
    register(ArchiveSource())
    register(QuerySource())
    register(IdxSource())
    register(SplitFolderSource())
    register(FolderSource())
