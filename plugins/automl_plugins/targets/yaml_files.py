"""YAML files, made of values and never of text, so that no value can become a part of another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from automl.files import replacing


class _Plain(yaml.SafeDumper):
    """Writes a value that occurs twice in both places, since people read these files."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def write_yaml(path: Path, content: Mapping[str, Any], mode: int = 0o644) -> None:
    """Writes `content`, JSON values in their order, whole or not at all."""
    text = yaml.dump(content, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)
    with replacing(path, mode) as file:
        file.write(text.encode())


def give_to(path: Path, user: int) -> None:
    """Lets `user` own a file that only its owner may read, where that is ours to give."""
    if os.geteuid() == 0:
        os.chown(path, user, user)
