"""The built-in search providers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import automl


@automl.hookimpl
def automl_search_providers(register: Callable[[Any], None]) -> None:
    """Registers the built-in search providers."""
    from automl_plugins.search_providers.flickr import FlickrProvider
    from automl_plugins.search_providers.openverse import OpenverseProvider

    register(OpenverseProvider())
    register(FlickrProvider())
