"""Reads what a SavedModel's signatures take and return, without TensorFlow."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from automl.bare_tensorflow import bare_tensorflow


def signature_defs(path: Path) -> dict[str, Any]:
    """Returns the `SignatureDef` messages by name, as they were exported.

    Loaded functions no longer know the names and shapes that a client is told.

    Raises:
        OSError: If there is no such file.
        DecodeError: If it is damaged.
        ValueError: If no graph of it is made for serving.
    """
    content = _saved_model()()
    content.ParseFromString((path / "saved_model.pb").read_bytes())
    for graph in content.meta_graphs:
        if "serve" in graph.meta_info_def.tags:
            return {
                name: definition
                for name, definition in graph.signature_def.items()
                if not name.startswith("__")  # what initialises a graph is no signature
            }
    raise ValueError("no graph is tagged 'serve'")


@functools.cache
def _saved_model() -> Any:
    with bare_tensorflow():
        from tensorflow.core.protobuf import saved_model_pb2
    return saved_model_pb2.SavedModel
