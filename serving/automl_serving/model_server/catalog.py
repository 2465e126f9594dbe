"""What is served: the versions of every model, their states, and who uses them.

It belongs to the event loop: nothing here is called from a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from automl_serving.model_server.config import ModelConfig
from automl_serving.model_server.errors import ServingError
from automl_serving.model_server.servable import Servable


@dataclass
class Version:
    """A version that is, was or shall be served.

    Attributes:
        number: The version.
        path: Its folder.
        state: A `ModelVersionStatus.State` by name.
        error: Why it could not be loaded.
        servable: What answers, while it is AVAILABLE or UNLOADING.
        users: Requests that use it now.
        stamp: What its folder was like when it was tried.
    """

    number: int
    path: Path
    state: str = "START"
    error: ServingError | None = None
    servable: Servable | None = None
    users: int = 0
    stamp: tuple[int, int] = (0, 0)
    unused: asyncio.Event = field(default_factory=asyncio.Event)


class Catalog:
    """The models that a server was told to serve, and the versions of them.

    Attributes:
        configs: The models that are wanted, by name.
        versions: Every version that was ever to be served, by model and number.
    """

    def __init__(self) -> None:
        self.configs: dict[str, ModelConfig] = {}
        self.versions: dict[str, dict[int, Version]] = {}

    @contextmanager
    def use(self, name: str, version: int | None = None, label: str = "") -> Iterator[Servable]:
        """Lends the version that a request asks for; it is not unloaded before it is given back.

        Args:
            name: The model.
            version: `None` is the highest.
            label: Stands for a version, if given.

        Raises:
            ServingError: NOT_FOUND if it is not served; INVALID_ARGUMENT for a missing name or an
                unknown label.
        """
        found = self._find(name, version, label)
        assert found.servable is not None
        found.users += 1
        try:
            yield found.servable
        finally:
            found.users -= 1
            found.unused.set()

    def states(self, name: str, version: int | None = None, label: str = "") -> list[Version]:
        """Returns the versions that were ever to be served, the highest first.

        Raises:
            ServingError: NOT_FOUND if there are none; as `use` for names and labels.
        """
        known = self.versions.get(name, {})
        wanted = self._resolve(name, version, label)
        found = [known[n] for n in sorted(known, reverse=True) if wanted in (None, n)]
        if not found:
            raise self._not_found(name, wanted)
        return found

    def available(self, name: str) -> list[Version]:
        """Returns a model's versions that answer, the highest first."""
        known = self.versions.get(name, {}).values()
        found = [version for version in known if version.state == "AVAILABLE"]
        return sorted(found, key=lambda version: version.number, reverse=True)

    def numbers(self) -> dict[str, list[int]]:
        """Returns the versions that answer, by model."""
        return {name: [one.number for one in self.available(name)] for name in self.configs}

    def is_complete(self) -> bool:
        """Returns whether every model has a version that answers."""
        return all(self.numbers().values())

    def known(self, name: str) -> str:
        """Returns `name` if a model has it, else nothing: for what is kept by name."""
        return name if name in self.configs else ""

    def _find(self, name: str, version: int | None, label: str) -> Version:
        wanted = self._resolve(name, version, label)
        if wanted is None:
            found = next(iter(self.available(name)), None)
        else:
            found = self.versions.get(name, {}).get(wanted)
        if found is None or found.state != "AVAILABLE":
            raise self._not_found(name, wanted)
        return found

    def _resolve(self, name: str, version: int | None, label: str) -> int | None:
        if not name:
            raise ServingError(
                "INVALID_ARGUMENT", "expected a model's name in model_spec, found none; set it."
            )
        if not label:
            return version
        labels = self.configs[name].labels if name in self.configs else {}
        if label not in labels:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"expected a version label that is set, found {label[:200]!a}; name a version.",
            )
        return labels[label]

    def _not_found(self, name: str, version: int | None) -> ServingError:
        asked = f"{name[:200]!a}" + ("" if version is None else f" version {version}")
        served = "; ".join(
            f"{other} version {', '.join(map(str, numbers))}"
            for other, numbers in sorted(self.numbers().items())
            if numbers
        )
        return ServingError(
            "NOT_FOUND",
            f"expected a model that is served ({served or 'none is'}), found {asked}; ask for one "
            f"that is.",
        )
