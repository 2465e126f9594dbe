"""The built-in backbones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import automl
from automl_plugins.backbones.alexnet import AlexNet
from automl_plugins.backbones.convnext import ConvNeXt
from automl_plugins.backbones.efficientnet_lite import EfficientNetLite
from automl_plugins.backbones.efficientnet_v2 import EfficientNetV2
from automl_plugins.backbones.mobilenet_v2 import MobileNetV2
from automl_plugins.backbones.pixels import Pixels
from automl_plugins.backbones.resnet import ResNet
from automl_plugins.backbones.small_cnn import SmallCNN


@automl.hookimpl
def automl_backbones(register: Callable[[Any], None]) -> None:
    """Registers the built-in backbones."""
    register(Pixels())
    register(SmallCNN())
    register(EfficientNetLite())
    register(MobileNetV2())
    register(EfficientNetV2())
    register(ResNet())
    register(ConvNeXt())
    register(AlexNet())
