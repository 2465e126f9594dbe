"""A workspace: one readable folder with datasets, cache, experiments, models, deployments."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from automl.errors import UsageError, WorkspaceError
from automl.files import write_json

VARIABLE = "AUTOML_WORKSPACE"
MARKER = "workspace.json"
SETTINGS = "settings.json"
FORMAT = 1
DEFAULT = "automl-workspace"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


class Workspace:
    """The folders of one workspace.

    Attributes:
        root: The workspace's folder.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).absolute()

    @classmethod
    def find(cls, root: str | os.PathLike[str] | None = None) -> Workspace:
        """Returns the workspace to use, making it if there is none.

        The first of: `root`, the variable AUTOML_WORKSPACE, the nearest workspace upwards from
        the current folder, and a new `automl-workspace` in the current folder.

        Raises:
            WorkspaceError: If it cannot be made or is of another format.
        """
        workspace = cls.locate(root)
        workspace._open()
        return workspace

    @classmethod
    def locate(cls, root: str | os.PathLike[str] | None = None) -> Workspace:
        """Returns the workspace that `find` would use, without making it."""
        named = root or os.environ.get(VARIABLE)
        if named:
            return cls(named)
        here = Path.cwd()
        return cls(
            next(
                (
                    place
                    for folder in (here, *here.parents)
                    for place in (folder, folder / DEFAULT)
                    if (place / MARKER).is_file()
                ),
                here / DEFAULT,
            )
        )

    def exists(self) -> bool:
        """Says whether the workspace has been made."""
        return (self.root / MARKER).is_file()

    def variable(self, name: str) -> str:
        """Returns an environment variable, or what `settings.json` holds under its name.

        That file is the user's: an object of texts, for what should not be typed each time.

        Returns:
            The value; empty where neither says anything.

        Raises:
            WorkspaceError: If `settings.json` is something else.
        """
        path = self.root / SETTINGS
        value = os.environ.get(name)
        if value is not None or not path.is_file():
            return value or ""
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            settings = None
        found = settings.get(name, "") if isinstance(settings, dict) else None
        if not isinstance(found, str):
            raise WorkspaceError(
                f"expected an object of texts by the names of variables, as "
                f'{{"{name}": "…"}}, in {path}, found something else; correct it.'
            )
        return found

    def _open(self) -> None:
        marker = self.root / MARKER
        try:
            if not marker.is_file():
                if self.root.exists() and not self.root.is_dir():
                    raise WorkspaceError(
                        f"expected a folder for the workspace, found the file {self.root}; "
                        f"name another with --workspace DIR."
                    )
                write_json(marker, {"name": self.root.name, "format": FORMAT})
            content = json.loads(marker.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
            raise WorkspaceError(
                f"expected a workspace that can be read and written at {self.root}, found that "
                f"{marker.name} cannot be used ({reason}); name another with --workspace DIR."
            ) from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise WorkspaceError(
                f"expected a workspace of format {FORMAT}, found another in {marker}; upgrade "
                f"automl or name another workspace with --workspace DIR."
            )

    @property
    def cache(self) -> Path:
        """Pixels and features by content hash; safe to delete."""
        return self.root / "cache"

    @property
    def datasets(self) -> Path:
        """Tables of labelled images, as `<name>/<version>/`."""
        return self.root / "datasets"

    @property
    def sources(self) -> Path:
        """Pictures that were unpacked or downloaded, each source's in a folder of its own."""
        return self.root / "sources"

    @property
    def experiments(self) -> Path:
        """Runs, as `<name>/<run>/`."""
        return self.root / "experiments"

    @property
    def models(self) -> Path:
        """SavedModels, as `<name>/<version>/`."""
        return self.root / "models"

    @property
    def deployments(self) -> Path:
        """Deployments, as `<name>.json` and a folder of the same name."""
        return self.root / "deployments"


def check_name(name: str, what: str) -> str:
    """Returns `name` if it can name a `what` (experiment, deployment).

    Raises:
        UsageError: If it cannot: names become folders and parts of addresses.
    """
    if not _NAME.match(name):
        raise UsageError(
            f"expected the {what}'s name to be at most 63 letters, digits, '.', '_' or '-', the "
            f"first a letter or digit, found {name!r}; choose another."
        )
    return name
