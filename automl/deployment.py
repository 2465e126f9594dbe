"""Deployments: a model brought up by a target, with a record that only its owner can read.

A record is the reservation of its name from the first moment of a deploy to the last of a
delete. What it says about processes and ports is asked of the target, never believed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from automl.components import ContainerImages, DeployedService, DeployRequest, Target
from automl.errors import DeploymentError, NotFoundError, UsageError
from automl.files import write_json
from automl.locks import claimed, locked
from automl.plugins import plugin_manager
from automl.processes import is_alive, this_process
from automl.registry import Model, load_model
from automl.workspace import Workspace, check_name

if TYPE_CHECKING:
    from automl.client import ScoredImage, ScoreOptions
    from automl.payload import Images

logger = logging.getLogger(__name__)

FORMAT = 1


def deploy(
    model: Model | str | os.PathLike[str],
    name: str | None = None,
    target: str = "local",
    workspace: Workspace | str | os.PathLike[str] | None = None,
    version: int | None = None,
    **options: Any,
) -> Deployment:
    """Serves a model behind a scoring gateway and returns when it answers.

    Where a target lacks what it takes to start the service, its files are written, and the
    deployment's `missing` and `commands` say the rest.

    Args:
        model: A model, its name in the workspace, or its folder.
        name: The deployment's name; the model's by default.
        target: Where to; see `automl plugins list`.
        workspace: Where the model is looked up and the deployment recorded.
        version: The model's version; the newest one by default.
        **options: The target's own options, such as `port=9000`.

    Raises:
        UsageError: If the name, the target or an option is put wrongly.
        NotFoundError: If there is no such model or version.
        DeploymentError: If the name is taken or the service does not come up; nothing is left
            behind then.
    """
    found = workspace if isinstance(workspace, Workspace) else Workspace.find(workspace)
    component = plugin_manager().targets[target]
    opened = model if isinstance(model, Model) else load_model(model, version, found)
    deployment = Deployment(
        name=_checked(name or opened.name),
        url="",
        key=secrets.token_urlsafe(32),
        model=opened.name,
        model_path=str(opened.path),
        version=opened.version,
        target=target,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        folder=found.deployments,
        state={},
        owner=this_process(),
    )
    try:
        deployment._reserve()
        service = component.deploy(deployment._request(opened, options))
        ready = deployment._with(service)
        try:
            ready._update()
        except BaseException:
            component.delete(service.state)  # whoever deleted the record knew less of it
            raise
    except BaseException:
        deployment.delete()
        raise
    return ready


def get_deployment(
    name: str, workspace: Workspace | str | os.PathLike[str] | None = None
) -> Deployment:
    """Returns the deployment called `name`.

    Raises:
        NotFoundError: If there is none.
        DeploymentError: If its record is damaged.
    """
    found = workspace if isinstance(workspace, Workspace) else Workspace.find(workspace)
    path = found.deployments / f"{name}.json"
    if not path.is_file() or Path(name).name != name:
        known = ", ".join(_names(found)) or "none"
        raise NotFoundError(
            f"expected the name of a deployment in {found.root} ({known}), found {name!r}; see "
            f"`automl deployments list`."
        )
    return Deployment._read(path)


def list_deployments(
    workspace: Workspace | str | os.PathLike[str] | None = None,
) -> list[Deployment]:
    """Returns the workspace's deployments by name; damaged records are passed over."""
    found = workspace if isinstance(workspace, Workspace) else Workspace.find(workspace)
    deployments = []
    for name in _names(found):
        try:
            deployments.append(get_deployment(name, found))
        except (DeploymentError, NotFoundError) as error:  # deleted in between, or damaged
            logger.warning("passed over: %s", error)
    return deployments


@dataclass(frozen=True)
class Deployment:
    """A model that is served.

    Attributes:
        name: Its name, which is also that of its record and its folder.
        url: The scoring gateway's base address; empty until it is up.
        key: The owner's key in clear.
        model: The model's name.
        version: The model's version.
        model_path: The version's folder.
        target: Where it is deployed.
        created: When, ISO 8601 in UTC.
        folder: The workspace's folder of deployments.
        seconds: How long its parts took to come up, and `ready` for all of it.
        missing: Where its files were only written: what it takes to start it, in one sentence.
        commands: What to type there.
    """

    name: str
    url: str
    key: str = field(repr=False)
    model: str
    version: int
    model_path: str = field(repr=False)
    target: str
    created: str
    folder: Path = field(repr=False)
    state: Mapping[str, Any] = field(repr=False)
    owner: Mapping[str, Any] = field(repr=False)
    seconds: Mapping[str, float] = field(default_factory=dict, repr=False)
    missing: str = field(default="", repr=False)
    commands: Sequence[str] = field(default_factory=list, repr=False)

    def score(
        self, images: Images, top_k: int | None = None, **options: Unpack[ScoreOptions]
    ) -> list[ScoredImage]:
        """Scores images: paths, addresses, encoded bytes, one or a list.

        Args:
            images: See `automl.client.ScoringClient.score`, which this is.
            top_k: How many classes `scores` holds; all by default.
            **options: `add_softmax` and `image_resize_dims`.

        Raises:
            ScoringError: If the service does not answer or refuses.
            DeploymentError: If it is not up yet.
        """
        from automl.client import score_endpoint

        with self.reach() as url:
            return score_endpoint(url, self.key, images, top_k, **options)

    def reach(self) -> contextlib.AbstractContextManager[str]:
        """Yields an address at which this machine reaches the gateway.

        Raises:
            DeploymentError: If it has none yet, or cannot be reached from here.
        """
        return self._target.reach(self.ready_url(), self.state)

    def ready_url(self) -> str:
        """Returns `url`.

        Raises:
            DeploymentError: If it has none yet.
        """
        if not self.url:
            raise DeploymentError(
                f"expected the deployment {self.name!r} to be up, found it {self.status()}; see "
                f"`automl deployments list`."
            )
        return self.url

    def exists(self) -> bool:
        """Says whether it has not been deleted."""
        return self._current() is not None

    def status(self) -> str:
        """Returns `"ready"`, `"starting"`, `"degraded"`, `"stopped"` or `"written"`, as it is now.

        Raises:
            DeploymentError: If there is nothing here to ask.
        """
        if not self.url and is_alive(self.owner):
            return "starting"
        status = self._target.status(self.state)
        # What is left of a deploy that was killed may run, but nobody was told its address.
        return status if self.url or status == "stopped" else "degraded"

    def update(self, version: int | None = None, **options: Any) -> Deployment:
        """Lets another version take over at the same address, with the same key.

        It comes up beside the one that serves and is checked before it takes over.

        Args:
            version: The model's version; the newest one by default.
            **options: The target's own options, such as `timeout=120`; others stay as they were.

        Returns:
            The deployment as it is then.

        Raises:
            NotFoundError: If the deployment, the model or the version is gone.
            DeploymentError: If the version does not come up or answers wrongly, or another update
                is under way; what served goes on then.
        """
        # Not by its name: it may have been deployed from a folder.
        path = Path(self.model_path)
        opened = load_model(path.parent if path.name == str(self.version) else path, version)
        with _changing(self.directory):
            current = Deployment._read(self._record)
            new = dataclasses.replace(current, version=opened.version, model_path=str(opened.path))
            request = dataclasses.replace(
                current._request(opened, options), took_over=new._remember
            )
            done = new._with(current._target.update(request, current.state))
            done._update()
        return done

    def delete(self) -> None:
        """Takes the service down and removes its record and its folder.

        Does nothing where that has been done already. The name is free afterwards.

        Raises:
            DeploymentError: If an update is under way, or something cannot be taken down.
        """
        with contextlib.ExitStack() as held:
            with contextlib.suppress(NotFoundError):  # nobody updates what has no folder
                held.enter_context(_changing(self.directory, shared=True))
            while (current := self._current()) is not None:
                current._target.delete(current.state)
                # Not while there is more to take down: a deploy may have gone on meanwhile.
                current._erase_unchanged()

    def logs(self) -> dict[str, list[str]]:
        """Returns the lines of its logs by their names, such as `gateway`.

        Raises:
            DeploymentError: If there is nothing here to ask.
        """
        return self._target.logs(self.directory, self.state)

    def build_image(self) -> ContainerImages:
        """Writes the build contexts of its container images, and builds them where Docker is.

        Raises:
            NotFoundError: If the model or the version is gone.
            DeploymentError: If they cannot be built, or its target has none.
        """
        opened = load_model(Path(self.model_path))
        return self._target.build_image(self._request(opened, {}), self.state)

    @property
    def directory(self) -> Path:
        """The folder of its logs and settings."""
        return self.folder / self.name

    @property
    def _record(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def _target(self) -> Target:
        return plugin_manager().targets[self.target]

    @classmethod
    def _read(cls, path: Path) -> Deployment:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            # Earlier ones were of the workspace's models alone.
            known = path.parent.parent / "models" / content["model"] / str(content["version"])
            content.setdefault("model_path", str(known))
            return cls(folder=path.parent, **content)
        except FileNotFoundError:
            raise NotFoundError(
                f"expected the deployment {path.stem!r}, found it deleted; see "
                f"`automl deployments list`."
            ) from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DeploymentError(
                f"expected a record of a deployment, found {path} damaged ({error}); end its "
                f"processes, then remove it and the folder beside it."
            ) from error

    def _with(self, service: DeployedService) -> Deployment:
        told = {f.name: getattr(service, f.name) for f in dataclasses.fields(service)}
        return dataclasses.replace(self, **{**told, "commands": list(service.commands)})

    def _write(self) -> None:
        content = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del content["folder"]
        write_json(self._record, {"format": FORMAT, **content}, mode=0o600)

    def _current(self) -> Deployment | None:
        """Returns what is recorded now, or `None` if this deployment has no record.

        Another deployment may have the name; the key tells them apart.
        """
        with contextlib.suppress(NotFoundError, DeploymentError):
            recorded = Deployment._read(self._record)
            return recorded if recorded.key == self.key else None
        return None

    def _reserve(self) -> None:
        with locked(self.folder):
            if self._record.exists():
                raise DeploymentError(
                    f"expected a deployment name that is free, found {self.name!r} taken; choose "
                    f"another with --name, or type `automl deployments update {self.name}` or "
                    f"`automl deployments delete {self.name}`."
                )
            shutil.rmtree(self.directory, ignore_errors=True)  # belongs to nobody
            self._write()
            self.directory.mkdir(mode=0o700)

    def _update(self) -> None:
        with locked(self.folder):
            if self._current() is None:
                raise DeploymentError(
                    f"expected {self.name!r} to come up, found it deleted while it was starting; "
                    f"deploy it again."
                )
            self._write()

    def _erase_unchanged(self) -> None:
        with locked(self.folder):
            if self._current() == self:
                if self.directory.exists():
                    shutil.rmtree(self.directory)
                # Nothing is being written while the folder is locked; who wrote it was killed.
                for half_written in self.folder.glob(".*.json.*"):
                    half_written.unlink()
                self._record.unlink()

    def _request(self, model: Model, options: Mapping[str, Any]) -> DeployRequest:
        return DeployRequest(
            name=self.name,
            model=self.model,
            model_path=model.path,
            version=model.version,
            key=self.key,
            directory=self.directory,
            options={key: value for key, value in options.items() if value is not None},
            remember=self._remember,
        )

    def _remember(self, state: Mapping[str, Any]) -> None:
        dataclasses.replace(self, state=state)._update()


def _checked(name: str) -> str:
    """Returns a deployment's name, which must not be that of another one's record."""
    if check_name(name, "deployment").endswith(".json"):
        raise UsageError(
            f"expected a deployment name that does not end in .json, found {name!r}; choose "
            f"another with --name."
        )
    return name


def _names(workspace: Workspace) -> list[str]:
    return sorted(path.stem for path in workspace.deployments.glob("[!.]*.json"))


@contextlib.contextmanager
def _changing(directory: Path, shared: bool = False) -> Iterator[None]:
    """Lets one process update the deployment whose folder this is, or any number delete it."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(claimed(directory, shared))
        except FileNotFoundError:
            raise NotFoundError(
                f"expected the deployment {directory.name!r}, found it deleted; see "
                f"`automl deployments list`."
            ) from None
        except BlockingIOError:
            raise DeploymentError(
                f"expected nothing else to change {directory.name!r}, found an update or a delete "
                f"under way; wait for it."
            ) from None
        yield
