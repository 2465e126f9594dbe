"""Copies the weights of a Keras file into a model whose layers have the same names."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import WeightsUnavailableError

if TYPE_CHECKING:
    import h5py
    import keras

    Arrays = dict[str, list[Any]]
    Pairs = list[tuple[Any, list[Any]]]

SUFFIXES = (".keras", ".h5", ".hdf5")
"""The names that Keras files have; `.weights.h5` is among them."""

_ZIP_MEMBER = "model.weights.h5"


def load_keras_weights(
    model: keras.Model, path: Path, aliases: Mapping[str, str] | None = None
) -> None:
    """Sets the weights of every layer from the layer of the same name in the file.

    Layers that `model` does not have, such as a classifier, are left out, so that files with
    and without one both fit. A file in the older format may also have other names, if it has
    the same shapes in the same order: that is how Keras itself reads that format.

    Args:
        model: A model as `keras.applications` builds it.
        path: A `.keras` or `.weights.h5` file of Keras 3, or an `.h5` file in the older
            format that Keras Applications publishes.
        aliases: For layers that Keras numbers afresh in each process, a regular expression
            for the name in the file.

    Raises:
        WeightsUnavailableError: If the file cannot be read, lacks a layer or has weights of
            another shape.
    """
    arrays, in_order = _read(path)
    for name, pattern in (aliases or {}).items():
        matches = [other for other in arrays if re.fullmatch(pattern, other)]
        if name not in arrays and len(matches) == 1:
            arrays[name] = arrays[matches[0]]
    pairs = _pair_by_position(model, arrays) if in_order else []
    pairs = pairs or _pair_by_name(model, arrays, path)
    for layer, found in pairs:
        for variable, array in zip(_variables(layer), found, strict=True):
            variable.assign(array)


def _pair_by_name(model: keras.Model, arrays: Arrays, path: Path) -> Pairs:
    pairs = []
    for layer in _layers(model, arrays):
        found = arrays.get(layer.name, [])
        if layer.weights and not _fits(layer, found):
            raise WeightsUnavailableError(
                f"expected weights of {model.name} with shapes {_shapes(_variables(layer))} for "
                f"the layer {layer.name}, found {_shapes(found) or 'no such layer'} in {path}; "
                f"name the weights file of this network."
            )
        pairs.append((layer, found if layer.weights else []))
    return pairs


def _pair_by_position(model: keras.Model, arrays: Arrays) -> Pairs:
    """Pairs layers and arrays in their order if no name is known and all shapes agree."""
    layers = [layer for layer in model.layers if layer.weights]
    stored = {name: found for name, found in arrays.items() if found}
    known = any(layer.name in stored for layer in layers)
    pairs = list(zip(layers, stored.values(), strict=False))
    if known or len(layers) != len(stored) or not all(_fits(*pair) for pair in pairs):
        return []
    return pairs


def _layers(model: Any, arrays: Arrays) -> Iterator[Any]:
    """Yields the layers to set; a model within the model may be stored whole or in parts."""
    for layer in model.layers:
        if hasattr(layer, "layers") and not arrays.get(layer.name):
            yield from _layers(layer, arrays)
        else:
            yield layer


def _variables(layer: Any) -> list[Any]:
    """Returns a layer's weights in the order in which both formats write them."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _fits(layer: Any, arrays: Sequence[Any]) -> bool:
    return _shapes(_variables(layer)) == _shapes(arrays)


def _shapes(arrays: Sequence[Any]) -> list[tuple[int, ...]]:
    return [tuple(array.shape) for array in arrays]


def _read(path: Path) -> tuple[Arrays, bool]:
    """Returns the weights by layer, and whether they come in the order of the layers."""
    import h5py

    try:
        if zipfile.is_zipfile(path):
            with (
                zipfile.ZipFile(path) as archive,
                archive.open(_ZIP_MEMBER) as member,
                h5py.File(member, "r") as file,
            ):
                return _read_keras3(file), False
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            if _names(root, "layer_names"):
                return _read_legacy(root), True
            return _read_keras3(file), False
    except FileNotFoundError:
        reason = "cannot be read (No such file or directory)"
    except Exception as error:
        # h5py reports damage with whatever exception the place at hand has.
        reason = f"is damaged or of another format ({' '.join(str(error).split())[:100]})"
    raise WeightsUnavailableError(
        f"expected a Keras weights file (.keras, .weights.h5 or .h5), found that {path} {reason}; "
        f"name another weights file."
    )


def _read_legacy(root: h5py.Group) -> Arrays:
    return {
        layer: [root[layer][name][()] for name in _names(root[layer], "weight_names")]
        for layer in _names(root, "layer_names")
    }


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """Reads a list of names, which long ones are spread over `attribute0`, `attribute1`, …"""
    if attribute in group.attrs:
        names = list(group.attrs[attribute])
    else:
        names, part = [], 0
        while f"{attribute}{part}" in group.attrs:
            names.extend(group.attrs[f"{attribute}{part}"])
            part += 1
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _read_keras3(file: h5py.File) -> Arrays:
    """Reads every group `…/vars`; each says the name of its layer."""
    import h5py

    arrays: Arrays = {}

    def visit(path: str, entry: Any) -> None:
        if isinstance(entry, h5py.Group) and path.endswith("vars") and "name" in entry.attrs:
            arrays[str(entry.attrs["name"])] = [entry[str(i)][()] for i in range(len(entry))]

    file.visititems(visit)
    if not arrays:
        raise ValueError("it does not name its layers; save it again with Keras 3.10 or later")
    return arrays
