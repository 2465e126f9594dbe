"""The keys that a gateway accepts: hashes, from which nobody learns a key."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from automl.components import DeployRequest
from automl.files import write_json


def accepted_keys(request: DeployRequest) -> dict[str, Any]:
    """Returns the content of a keys file that accepts the owner's key."""
    digest = hashlib.sha256(request.key.encode()).hexdigest()
    return {"keys": [{"name": "owner", "sha256": digest}]}


def write_keys(request: DeployRequest) -> Path:
    """Writes that file for its owner alone, and returns its path."""
    path = request.directory / "keys.json"
    write_json(path, accepted_keys(request), mode=0o600)
    return path
