"""Contract checks that every built-in component passes, for plugin authors to run on theirs.

Each check takes a component and raises `AssertionError` with one sentence saying what the
contract expects and what was found. They need no server, no network and no data of one's own.
"""

from automl.testing.augmentation import check_augmentation
from automl.testing.backbone import check_backbone
from automl.testing.compute import check_compute
from automl.testing.head import check_head
from automl.testing.observer import check_observer
from automl.testing.plugin import check_plugin
from automl.testing.runtime import check_runtime
from automl.testing.search_provider import check_search_provider
from automl.testing.source import check_image_source
from automl.testing.strategy import check_strategy

__all__ = [
    "check_augmentation",
    "check_backbone",
    "check_compute",
    "check_head",
    "check_image_source",
    "check_observer",
    "check_plugin",
    "check_runtime",
    "check_search_provider",
    "check_strategy",
]
