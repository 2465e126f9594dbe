"""Where a model is deployed."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl.errors import DeploymentError


def _forget(state: Mapping[str, Any]) -> None:
    """Keeps nothing."""


@dataclass(frozen=True)
class DeployRequest:
    """What to deploy.

    Attributes:
        name: The deployment's name.
        model: The model's name, which is also the name it is served under.
        model_path: The version's own folder: the SavedModel and its manifest.
        version: The version to serve, the only one.
        key: The owner's key in clear; the service is given only its hash.
        directory: A folder of the deployment's own for logs and settings.
        options: The target's own options, such as `{"port": 8501}`.
        remember: Keeps the state so far. A target calls it whenever there is something more
            to take down, so that a deploy that is killed half-way can still be deleted.
        took_over: Keeps the state as soon as the version of an update is the one that answers.
    """

    name: str
    model: str
    model_path: Path
    version: int
    key: str
    directory: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    remember: Callable[[Mapping[str, Any]], None] = _forget
    took_over: Callable[[Mapping[str, Any]], None] = _forget


@dataclass(frozen=True)
class DeployedService:
    """A service that a target has brought up, or has written all files for.

    Attributes:
        url: The scoring gateway's base address.
        state: What the target needs to find the service again; JSON values only.
        seconds: How long its parts took to come up, by their names, and `ready` for all of it.
        missing: Where it was only written: what it takes to start it, in one sentence.
        commands: What to type there.
    """

    url: str
    state: Mapping[str, Any]
    seconds: Mapping[str, float] = field(default_factory=dict)
    missing: str = ""
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class ContainerImages:
    """The container images of a deployment.

    Attributes:
        folder: The folder of their build contexts, which are there in any case.
        tags: The images' names.
        missing: Where they were not built: what it takes, in one sentence.
        commands: What to type there.
    """

    folder: Path
    tags: Sequence[str]
    missing: str = ""
    commands: Sequence[str] = ()


class Target(abc.ABC):
    """Brings models up somewhere, and down again."""

    name: str

    @abc.abstractmethod
    def deploy(self, request: DeployRequest) -> DeployedService:
        """Brings the service up and returns when it answers.

        A target that lacks a program for that writes what there is to write, and says what is
        missing.

        Raises:
            DeploymentError: If it does not come up; nothing is left running then.
        """

    def update(self, request: DeployRequest, state: Mapping[str, Any]) -> DeployedService:
        """Replaces what serves by the version of `request`, without a lost request.

        Args:
            request: As for `deploy`, with the same key and the same directory.
            state: What was last remembered.

        Raises:
            DeploymentError: If the new version does not come up or answers wrongly; the old one
                goes on then. Also where the target cannot do it, as by default.
        """
        raise DeploymentError(
            f"expected a target that can update, found {self.name!r}; delete the deployment and "
            f"deploy again."
        )

    @abc.abstractmethod
    def status(self, state: Mapping[str, Any]) -> str:
        """Returns `"ready"`, `"starting"`, `"degraded"`, `"stopped"` or `"written"`.

        `state` is what was last remembered; what it names may be gone or taken by others.

        Raises:
            DeploymentError: If there is nothing here to ask.
        """

    @abc.abstractmethod
    def delete(self, state: Mapping[str, Any]) -> None:
        """Takes the service down; does nothing where it is gone already."""

    def logs(self, directory: Path, state: Mapping[str, Any]) -> dict[str, list[str]]:
        """Returns the lines of the logs by their names; by default of the files in `directory`.

        Raises:
            DeploymentError: If there is nothing here to ask.
        """
        return {
            path.stem: path.read_text(encoding="utf-8", errors="replace").splitlines()
            for path in sorted(directory.glob("*.log"))
        }

    def reach(self, url: str, state: Mapping[str, Any]) -> contextlib.AbstractContextManager[str]:
        """Yields the address at which this machine reaches the service; by default its own.

        Raises:
            DeploymentError: If it cannot be reached from here.
        """
        return contextlib.nullcontext(url)

    def build_image(self, request: DeployRequest, state: Mapping[str, Any]) -> ContainerImages:
        """Writes the build contexts of the container images, and builds them where Docker is.

        Args:
            request: As for `deploy`.
            state: What was last remembered.

        Raises:
            DeploymentError: If they cannot be built. Also where the target has none, as by
                default.
        """
        raise DeploymentError(
            f"expected a target with container images, found {self.name!r}; deploy to another."
        )
