"""The model registry: `models/<name>/<version>/`, exactly TF Serving's layout.

A version is written beside, under a name that TF Serving ignores because it is no number, and
renamed when it is whole. Whatever else lies there (half-written, damaged) is passed over.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from automl.errors import AutomlError, ExportError, NotFoundError, WorkspaceError
from automl.model import Model, Prediction
from automl.workspace import Workspace, check_name

__all__ = [
    "Model",
    "Prediction",
    "list_models",
    "load_model",
    "next_version",
    "register",
    "staging",
]

logger = logging.getLogger(__name__)

_STAGING = ".staging-"
_STALE_SECONDS = 24 * 3600.0


def load_model(
    name_or_path: str | os.PathLike[str],
    version: int | None = None,
    workspace: Workspace | str | os.PathLike[str] | None = None,
) -> Model:
    """Opens a model version; nothing is loaded into memory before it is used.

    Args:
        name_or_path: A model's name in the workspace, or a folder: a version's own, or one
            of numbered versions. A text without a slash is taken as a name first.
        version: The version; the newest one that is whole by default.
        workspace: Where names are looked up; see `Workspace.find`.

    Raises:
        NotFoundError: If there is no such model or version.
        WorkspaceError: If that version's manifest is damaged.
    """
    text = os.fspath(name_or_path)
    is_path = not isinstance(name_or_path, str) or os.sep in text or text in (".", "..")
    if not is_path:
        found = workspace if isinstance(workspace, Workspace) else Workspace.find(workspace)
        if (found.models / text).is_dir():
            return _choose(found.models / text, version)
        if not Path(text).is_dir():
            known = ", ".join(_names(found)) or "none yet"
            raise NotFoundError(
                f"expected the name of a model in {found.root} ({known}) or the folder of one, "
                f"found {text!r}; see `automl models list`."
            )
    folder = Path(text).expanduser().absolute()
    if not folder.is_dir():
        raise NotFoundError(f"expected a model's folder, found nothing at {folder}; check it.")
    return _choose(folder, version) if _versions(folder) else Model(folder)


def list_models(workspace: Workspace | None = None) -> list[Model]:
    """Returns every whole model version of the workspace, by name and version."""
    found = workspace or Workspace.find()
    models = []
    for name in _names(found):
        for version in _versions(found.models / name):
            model = _open_whole(found.models / name / str(version))
            if model:
                models.append(model)
    return models


def next_version(workspace: Workspace, name: str) -> int:
    """Returns the number above every version of `name`, whole or not; 1 for a new name."""
    return max(_versions(workspace.models / name), default=0) + 1


@contextlib.contextmanager
def staging(workspace: Workspace, name: str, owner: str = "") -> Iterator[Path]:
    """Yields the path of a folder to write a version of `name` in; it does not exist yet.

    Hand it to `register` when it is whole. What is still there when the block ends is removed,
    and so is what processes that were killed left behind a day ago or earlier.

    Args:
        workspace: The workspace.
        name: The model's name.
        owner: Who writes, such as a run's id; what the same one has left behind goes at once.

    Raises:
        UsageError: If `name` cannot name a model.
    """
    home = workspace.models / check_name(name, "model")
    home.mkdir(parents=True, exist_ok=True)
    _sweep(home)
    folder = home / f"{_STAGING}{owner or secrets.token_hex(6)}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            home.rmdir()  # only where nothing was ever registered


def register(workspace: Workspace, name: str, staged: Path) -> Model:
    """Makes the finished folder `staged` the next version of `name`.

    The manifest in it is given this name and version. Safe against other processes that
    register the same name at the same time: each gets a number of its own.

    Args:
        workspace: The workspace.
        name: The model's name.
        staged: A folder from `staging`, with a SavedModel and a manifest.

    Raises:
        UsageError: If `name` cannot name a model.
        NotFoundError: If the folder lacks its manifest or its SavedModel.
        ExportError: If it is on another file system than the workspace.
    """
    home = workspace.models / check_name(name, "model")
    home.mkdir(parents=True, exist_ok=True)
    manifest = Model(staged).manifest
    _sync(staged)
    while True:
        version = next_version(workspace, name)
        target = home / str(version)
        dataclasses.replace(manifest, name=name, version=version).write(staged)
        try:
            # Fails where a folder with anything in it is there already: the other one was first.
            staged.rename(target)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                continue
            if error.errno == errno.EXDEV:
                raise ExportError(
                    f"expected a finished export beside {target}, found it on another file "
                    f"system at {staged}; write it in the folder that `staging` gives."
                ) from error
            raise
        _sync_folder(home)
        return Model(target)


def _choose(home: Path, version: int | None) -> Model:
    """Opens `version`, or the newest whole one, of the versions in `home`."""
    versions = _versions(home)
    if version is not None:
        if version not in versions:
            known = ", ".join(map(str, versions)) or "none"
            raise NotFoundError(
                f"expected a version of {home.name} ({known}), found {version}; choose another."
            )
        return Model(home / str(version))
    for number in reversed(versions):
        model = _open_whole(home / str(number))
        if model:
            return model
    raise NotFoundError(
        f"expected a whole version of a model in {home}, found none; run `automl search` again."
    )


def _open_whole(folder: Path) -> Model | None:
    try:
        return Model(folder)
    except AutomlError as error:
        logger.warning("passed over %s: %s", folder, error)
        return None


def _names(workspace: Workspace) -> list[str]:
    if not workspace.models.is_dir():
        return []
    return sorted(p.name for p in workspace.models.iterdir() if p.is_dir() and _versions(p))


def _versions(home: Path) -> list[int]:
    """Returns the numbered folders in `home`, as TF Serving would see them, ascending."""
    try:
        return sorted(
            int(p.name)
            for p in home.iterdir()
            if p.name.isascii() and p.name.isdecimal() and p.name == str(int(p.name)) and p.is_dir()
        )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise WorkspaceError(
            f"expected a model's folder that can be read, found {home} ({error.strerror}); "
            f"check its permissions."
        ) from error


def _sweep(home: Path) -> None:
    for left in home.glob(f"{_STAGING}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Makes sure that the files are on the disk before a rename says that they are whole."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
