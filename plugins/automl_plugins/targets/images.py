"""The container images of a service: their build contexts, and the commands that build them."""

from __future__ import annotations

import hashlib
import importlib.util
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import automl
from automl.components import ContainerImages, DeployRequest
from automl_plugins.targets.containers import MODELS, USER, ModelServer
from automl_plugins.targets.tools import missing_docker, run

# The gateway's Dockerfile takes them from the project's tree, or from a copy of its two folders.
_PACKAGES = {"automl": "automl", "automl_serving": "serving/automl_serving"}


@dataclass(frozen=True)
class Image:
    """An image that can be built.

    Attributes:
        tag: Its name.
        context: The folder from which it is built.
        dockerfile: Its Dockerfile there.
    """

    tag: str
    context: Path
    dockerfile: str = "Dockerfile"

    def build(self) -> list[str]:
        """Returns the command that builds it."""
        file = str(self.context / self.dockerfile)
        return ["docker", "build", "--file", file, "--tag", self.tag, str(self.context)]

    def push(self) -> list[str]:
        """Returns the command that brings it to its registry."""
        return ["docker", "push", self.tag]


@dataclass(frozen=True)
class Images:
    """The images of one version.

    Attributes:
        gateway: The same for every model.
        model_server: A published one with the model in it.
    """

    gateway: Image
    model_server: Image


def images_of(request: DeployRequest, server: ModelServer, registry: str = "") -> Images:
    """Returns a version's images, not written yet.

    Their tags tell what is in them, so that no other workspace's image is taken for one of them,
    and a cluster that has an image of that name need not ask for it again.
    """
    prefix = f"{registry}/" if registry else ""
    folder = request.directory / "images"
    packages = _digest("", *map(_package, _PACKAGES))
    model = f"{request.version}-{_digest(server.image, Path(request.model_path))}"
    return Images(
        Image(
            f"{prefix}automl-gateway:{automl.__version__}-{packages}",
            folder / "gateway",
            "serving/automl_serving/gateway/Dockerfile",
        ),
        Image(f"{prefix}automl-{request.name}:{model}", folder / f"model-server-{request.version}"),
    )


def write_contexts(request: DeployRequest, images: Images, server: ModelServer) -> None:
    """Writes the folders from which the images are built."""
    for image in (images.gateway, images.model_server):
        shutil.rmtree(image.context, ignore_errors=True)
    for package, place in _PACKAGES.items():
        shutil.copytree(
            _package(package),
            images.gateway.context / place,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    context = images.model_server.context
    shutil.copytree(request.model_path, context / "models" / request.model / str(request.version))
    (context / "Dockerfile").write_text(
        f"FROM {server.image}\nCOPY --chown={USER}:{USER} models {MODELS}\nUSER {USER}:{USER}\n",
        encoding="utf-8",
    )


def forget_other_versions(images: Images) -> None:
    """Removes what only other versions' images are built from."""
    kept = images.model_server.context
    for context in kept.parent.glob("model-server-*"):
        if context != kept:
            shutil.rmtree(context)


def build(request: DeployRequest, images: Images, server: ModelServer) -> ContainerImages:
    """Writes the build contexts, and builds the images where Docker is."""
    write_contexts(request, images, server)
    missing = missing_docker()
    every = (images.gateway, images.model_server)
    if not missing:
        for image in every:
            run(image.build(), log=request.directory / "docker.log")
    commands = [shlex.join(image.build()) for image in every] if missing else []
    tags = [image.tag for image in every]
    return ContainerImages(request.directory / "images", tags, missing, commands)


def _package(name: str) -> Path:
    # Found, not imported: a plugin and the servers do not know each other.
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _digest(base: str, *folders: Path) -> str:
    """Returns a text that is another once a base image or a file in the folders is."""
    found = hashlib.sha256(base.encode())
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                found.update(f"{path.relative_to(folder).as_posix()}:{content}\n".encode())
    return found.hexdigest()[:12]
