"""Reads what a SavedModel's signatures take and return."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def signature_defs(path: Path) -> dict[str, Any]:
    """Returns the `SignatureDef` messages by name, as they were exported.

    Loaded functions no longer know the names and shapes that a client is told.

    Raises:
        OSError: If there is no such file.
        DecodeError: If it is damaged.
        ValueError: If no graph of it is made for serving.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel()
    content.ParseFromString((path / "saved_model.pb").read_bytes())
    for graph in content.meta_graphs:
        if "serve" in graph.meta_info_def.tags:
            return dict(graph.signature_def)
    raise ValueError("no graph is tagged 'serve'")
