"""What a plugin can add: one contract a file, in the order of the pipeline."""

from automl.components.augmentation import Augmentation
from automl.components.backbone import Backbone, Weights
from automl.components.compute import Compute, Part, Task, TaskHandle
from automl.components.head import AffineHead, EstimatorHead, FittedHead, Head, LayersHead
from automl.components.observer import Observer, Watch
from automl.components.runtime import Forward, LoadedModel, Precision, Runtime
from automl.components.source import (
    SPLITS,
    FoundImage,
    ImageRecord,
    ImageSource,
    Rejected,
    SearchProvider,
)
from automl.components.strategy import Strategy, StrategyContext
from automl.components.target import ContainerImages, DeployedService, DeployRequest, Target

__all__ = [
    "SPLITS",
    "AffineHead",
    "Augmentation",
    "Backbone",
    "Compute",
    "ContainerImages",
    "DeployRequest",
    "DeployedService",
    "EstimatorHead",
    "FittedHead",
    "Forward",
    "FoundImage",
    "Head",
    "ImageRecord",
    "ImageSource",
    "LayersHead",
    "LoadedModel",
    "Observer",
    "Part",
    "Precision",
    "Rejected",
    "Runtime",
    "SearchProvider",
    "Strategy",
    "StrategyContext",
    "Target",
    "Task",
    "TaskHandle",
    "Watch",
    "Weights",
]
