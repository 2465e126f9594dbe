"""The backends of Keras that a search needs, and whether they are installed."""

from __future__ import annotations

import importlib.util

from automl.errors import UsageError
from automl.tuning.settings import SearchSettings

EXPORT_BACKEND = "tensorflow"
"""Writes and runs SavedModels; training needs it only where it is chosen for that."""


def check_backends(settings: SearchSettings) -> None:
    """Checks that what trials need is installed.

    Raises:
        UsageError: If not.
    """
    if not is_installed(settings.backend):
        raise UsageError(
            f"expected the Keras backend {settings.backend} to train on, found that it is not "
            f"installed; install {settings.backend} or set KERAS_BACKEND to another."
        )
    if settings.limited and not is_installed(EXPORT_BACKEND):
        raise UsageError(
            f"expected {EXPORT_BACKEND}, which latency and size are measured with, found that it "
            f"is not installed; `pip install {EXPORT_BACKEND}` or drop the limit."
        )


def is_installed(backend: str) -> bool:
    """Says whether a backend is installed, without importing it; each is named as its package."""
    return importlib.util.find_spec(backend) is not None
