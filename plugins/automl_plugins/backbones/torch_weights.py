"""Copies the tensors of a PyTorch file into a Keras model of the same architecture."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import WeightsUnavailableError

if TYPE_CHECKING:
    import keras

_LEAVES = {
    "Conv2D": ("weight", "bias"),
    "DepthwiseConv2D": ("weight", "bias"),
    "Dense": ("weight", "bias"),
    "BatchNormalization": ("weight", "bias", "running_mean", "running_var"),
}
_AXES = {
    "Conv2D": (2, 3, 1, 0),  # [out, in, h, w] to [h, w, in, out]
    "DepthwiseConv2D": (2, 3, 0, 1),  # [channels, 1, h, w] to [h, w, channels, 1]
    "Dense": (1, 0),  # [out, in] to [in, out]
}


def layer_name(module: str) -> str:
    """Returns the name of the Keras layer for a PyTorch module, without dots.

    >>> layer_name("_blocks.0._expand_conv")
    'blocks_0_expand_conv'
    """
    return "_".join(part.lstrip("_") for part in module.split("."))


def load_torch_weights(model: keras.Model, path: Path) -> None:
    """Sets the weights of every layer from the PyTorch module of the same name.

    Modules that `model` has no layer for, such as a classifier, are left out.

    Args:
        model: Its layers are named with `layer_name`.
        path: A PyTorch or safetensors file.

    Raises:
        WeightsUnavailableError: If the file cannot be read, lacks a tensor or has one of
            another shape.
    """
    from automl_plugins.backbones.torch_file import read_tensors

    tensors: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, tensor in read_tensors(path).items():
        module, _, leaf = key.rpartition(".")
        # Files written by PyTorch's data-parallel training prefix every module.
        tensors[layer_name(module.removeprefix("module."))][leaf] = tensor
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_arrays(layer, tensors.get(layer.name, {}), model.name, path))


def _arrays(layer: Any, tensors: dict[str, Any], model: str, path: Path) -> list[Any]:
    """Returns a layer's weights in Keras' order and layout."""
    import numpy as np

    kind = type(layer).__name__
    arrays = []
    for leaf, variable in zip(_LEAVES[kind], layer.weights, strict=False):
        if leaf not in tensors:
            found = "none"
        else:
            array = tensors[leaf]
            if leaf == "weight" and array.ndim == len(_AXES.get(kind, ())):
                array = array.transpose(_AXES[kind])
            if array.shape == tuple(variable.shape) and np.issubdtype(array.dtype, np.floating):
                arrays.append(array)
                continue
            found = f"one of shape {list(array.shape)} and type {array.dtype}"
        raise WeightsUnavailableError(
            f"expected weights of {model} with a tensor {leaf} of shape {list(variable.shape)} "
            f"for {layer.name}, found {found} in {path}; name the weights file of this network."
        )
    return arrays
