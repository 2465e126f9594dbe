"""What is refused at once, before a run is made and a worker started for it."""

from __future__ import annotations

from automl.components import EstimatorHead
from automl.data.dataset import Dataset
from automl.data.splits import require_images_per_class
from automl.plugins import PluginManager
from automl.training.composition import ALONE, network_named
from automl.tuning.backends import check_backends
from automl.tuning.candidates import check_backbone_pins
from automl.tuning.settings import SearchSettings, with_steps
from automl.tuning.worker_memory import memory_limit


def check_settings(manager: PluginManager, settings: SearchSettings) -> None:
    """Checks every name, the learning rate and heads' own values; the space checks the rest.

    Raises:
        UsageError: If one is wrong.
    """
    check_backends(settings)
    memory_limit(settings.workers)
    pins = with_steps(settings.pins)
    manager.strategies[settings.strategy]
    manager.compute[settings.compute].check()
    for observer in settings.observers:
        manager.observers[observer]
    heads = [manager.heads[pins["head"]]] if "head" in pins else manager.heads
    for head in heads:
        if isinstance(head, EstimatorHead):
            head.path(pins)
    if "augmentation" in pins:
        manager.augmentations[pins["augmentation"]]
    if pins.get("fusion", ALONE) != ALONE:
        network_named(pins["fusion"])
    check_backbone_pins(manager, pins)


def check_images(dataset: Dataset, test: Dataset | None) -> None:
    """Checks that there are classes with images, and that the held-out ones have no others.

    Raises:
        DataError: If not.
    """
    require_images_per_class(dataset, 2)
    if test is not None:
        test.relabelled(dataset.labels)
