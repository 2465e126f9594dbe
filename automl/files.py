"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Opens a file beside `path` that takes its place, fsynced, when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Yields a new folder that takes the name `folder` when the block ends well, else goes.

    Raises:
        FileExistsError: If another process was first; its folder stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name[:40]}."))
    try:
        made.chmod(0o755)
        yield made
        try:
            made.rename(folder)
        except OSError as error:
            if folder.exists():
                raise FileExistsError(error.errno, error.strerror, str(folder)) from error
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_json(path: Path, content: Any, mode: int = 0o644) -> None:
    """Writes `content` as readable JSON, whole or not at all."""
    with replacing(path, mode) as file:
        file.write((json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
