"""AutoML for image classification on Keras and TensorFlow.

Names are imported when first used, so that `import automl` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.client import score_endpoint
    from automl.data.augmenting import augment_dataset
    from automl.data.dataset import Dataset
    from automl.deployment import Deployment, deploy
    from automl.errors import AutomlError
    from automl.evaluation.metrics import Evaluation
    from automl.hookspecs import hookimpl
    from automl.imgaug_numpy2 import augmenters
    from automl.registry import Model, load_model
    from automl.tuning.api import resume, search
    from automl.tuning.run import Run

__version__ = "0.1.0"

_HOMES = {
    "AutomlError": "automl.errors",
    "Dataset": "automl.data.dataset",
    "Deployment": "automl.deployment",
    "Evaluation": "automl.evaluation.metrics",
    "Model": "automl.registry",
    "Run": "automl.tuning.run",
    "augment_dataset": "automl.data.augmenting",
    "augmenters": "automl.imgaug_numpy2",
    "deploy": "automl.deployment",
    "hookimpl": "automl.hookspecs",
    "load_model": "automl.registry",
    "resume": "automl.tuning.api",
    "score_endpoint": "automl.client",
    "search": "automl.tuning.api",
}

__all__ = [
    "AutomlError",
    "Dataset",
    "Deployment",
    "Evaluation",
    "Model",
    "Run",
    "__version__",
    "augment_dataset",
    "augmenters",
    "deploy",
    "hookimpl",
    "load_model",
    "resume",
    "score_endpoint",
    "search",
]


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'automl' has no attribute {name!r}") from None
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
