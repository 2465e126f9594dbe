"""Datasets that the workspace knows by name: `datasets/<name>/<version>/`.

A version is an index of files that stay where they are, and never changes. It appears whole.
"""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.data.dataset import Dataset
from automl.errors import NotFoundError, UsageError, WorkspaceError
from automl.files import appearing, write_json
from automl.workspace import Workspace, check_name

INDEX = "index.parquet"
FACTS = "dataset.json"


@dataclass(frozen=True)
class StoredDataset:
    """One version of a dataset.

    Attributes:
        name: The dataset's name.
        version: 1 or more.
        path: The version's folder.
        facts: What dataset.json holds: `created`, `source`, `images`, `classes` (images by class),
            `fingerprint`, `rejected` (a sentence a row) and, where it was made of another
            version, `parent` and `changes`.
    """

    name: str
    version: int
    path: Path
    facts: Mapping[str, Any]

    def open(self) -> Dataset:
        """Returns the dataset.

        Raises:
            DataError: If its index is damaged.
        """
        return Dataset.from_parquet(self.path / INDEX)


def save_dataset(
    workspace: Workspace, name: str, dataset: Dataset, source: str, **facts: Any
) -> StoredDataset:
    """Writes `dataset` as the next version of `name`, reading the files for their ids.

    Rows whose files are not there are left out and named in `rejected`.

    Args:
        workspace: The workspace.
        name: The dataset's name.
        dataset: Its rows; relative paths become absolute.
        source: Where the images came from.
        **facts: What else dataset.json is to hold.

    Raises:
        UsageError: If `name` cannot name a dataset.
        DataError: If no file is there.
    """
    home = workspace.datasets / check_name(name, "dataset")
    dataset = dataset.with_absolute_paths().present().with_ids()
    record = {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "source": source,
        "images": len(dataset),
        "classes": dict(dataset.counts),
        "fingerprint": dataset.fingerprint,
        "rejected": list(dataset.rejected),
        **facts,
    }
    for version in itertools.count(max(_versions(home), default=0) + 1):
        facts = {"name": name, "version": version, **record}
        try:
            with appearing(home / str(version)) as folder:
                dataset.to_parquet(folder / INDEX)
                write_json(folder / FACTS, facts)
        except FileExistsError:  # another process was first
            continue
        return StoredDataset(name, version, home / str(version), facts)
    raise AssertionError("unreachable")


def load_dataset(
    name: str, version: int | None = None, workspace: Workspace | None = None
) -> StoredDataset:
    """Returns a version of a dataset, the newest by default.

    Args:
        name: The dataset's name, or `NAME@VERSION`.
        version: 1 or more.
        workspace: Where it is; see `Workspace.find`.

    Raises:
        NotFoundError: If there is no such dataset or version.
        WorkspaceError: If its dataset.json is damaged.
    """
    place = workspace or Workspace.locate()
    name, _, stated = name.partition("@")
    found = _versions(place.datasets / name)
    if not found:
        known = ", ".join(_names(place)) or "none yet"
        raise NotFoundError(
            f"expected the name of a dataset in {place.root} ({known}), found {name!r}; see "
            f"`automl dataset list`."
        )
    wanted: int | str = version if version is not None else stated or found[-1]
    if str(wanted) not in map(str, found):
        raise NotFoundError(
            f"expected a version of the dataset {name} ({', '.join(map(str, found))}), found "
            f"{wanted}; see `automl dataset list`."
        )
    folder = place.datasets / name / str(wanted)
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return StoredDataset(name, int(wanted), folder, facts)
    except (OSError, ValueError) as error:
        raise WorkspaceError(
            f"expected a dataset's {FACTS} that can be read in {folder}, found it damaged or "
            f"gone; make the version again."
        ) from error


def list_datasets(workspace: Workspace) -> list[StoredDataset]:
    """Returns every version in the workspace, by name and number."""
    return [
        load_dataset(name, version, workspace)
        for name in _names(workspace)
        for version in _versions(workspace.datasets / name)
    ]


def find_named(workspace: Workspace, text: str) -> Dataset | None:
    """Returns the dataset that `text` names, as `NAME` or `NAME@VERSION`; `None` if none.

    Raises:
        NotFoundError: If there is such a dataset without such a version.
        UsageError: If there is a path of that name as well.
    """
    name, _, version = text.partition("@")
    if not name or Path(name).name != name or not _versions(workspace.datasets / name):
        return None
    if Path(text).exists():
        exact = f"{name}@{version or _versions(workspace.datasets / name)[-1]}"
        raise UsageError(
            f"expected one thing called {text}, found a dataset and a path; write {exact} or "
            f"{Path()}/{text}."
        )
    return load_dataset(text, None, workspace).open()


def _names(workspace: Workspace) -> list[str]:
    if not workspace.datasets.is_dir():
        return []
    return sorted(home.name for home in workspace.datasets.iterdir() if _versions(home))


def _versions(home: Path) -> list[int]:
    if not home.is_dir():
        return []
    return sorted(int(path.name) for path in home.iterdir() if path.name.isdecimal())
