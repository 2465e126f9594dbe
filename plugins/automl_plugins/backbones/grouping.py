"""Groups a model's layers into blocks by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def group_by_prefix(model: keras.Model, pattern: str) -> Sequence[Sequence[str]]:
    """Groups the names of the model's layers, from input to output.

    Args:
        model: A functional model whose layers are named by block.
        pattern: A regular expression for the beginning of a name; equal matches make one
            block. Layers that do not match belong to the block before them.

    Returns:
        Names by block. Each layer occurs once.
    """
    blocks: dict[str, list[str]] = {}
    current = ""
    for layer in model.layers:
        if match := re.match(pattern, layer.name):
            current = match.group()
        blocks.setdefault(current, []).append(layer.name)
    before, *rest = blocks.values()
    if "" in blocks and rest:  # the input and the scaling go with the first real block
        return [before + rest[0], *rest[1:]]
    return list(blocks.values())
