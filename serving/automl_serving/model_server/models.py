"""Which versions of the model there are, on disk and in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from automl.errors import NotFoundError
from automl_serving.model_server.errors import ServingError
from automl_serving.model_server.servable import Servable


def find_version(base_path: Path, version: int | None = None) -> tuple[int, Path]:
    """Returns a version and its folder: the one asked for, else the highest.

    As TF Serving does, only folders whose names are whole numbers count.

    Raises:
        NotFoundError: If there is no such folder.
    """
    try:
        found = {
            int(child.name): child
            for child in base_path.iterdir()
            if child.name.isascii() and child.name.isdecimal() and child.is_dir()
        }
    except OSError as error:
        raise NotFoundError(
            f"expected a folder of model versions at {base_path}, found that it cannot be read "
            f"({error.strerror}); correct --model_base_path."
        ) from error
    if not found:
        raise NotFoundError(
            f"expected a folder named by a version, such as {base_path / '1'}, found none in "
            f"{base_path}; export a model there or correct --model_base_path."
        )
    chosen = max(found) if version is None else version
    if chosen not in found:
        raise NotFoundError(
            f"expected version {chosen} in {base_path}, found "
            f"{', '.join(map(str, sorted(found)))}; name one with --model_version."
        )
    return chosen, found[chosen]


@dataclass(frozen=True)
class ServedModel:
    """The model that is served: for now one version of it."""

    servable: Servable

    def find(self, name: str, version: int | None = None, label: str = "") -> Servable:
        """Returns the version that a request asks for; `None` is the highest.

        Raises:
            ServingError: NOT_FOUND if it is not served; INVALID_ARGUMENT for a label, of
                which none are set.
        """
        if label:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"expected a version label that is set, found {label!a}; name a version.",
            )
        served = self.servable
        if name != served.name or version not in (None, served.version):
            asked = f"{name!a}" if version is None else f"{name!a} version {version}"
            raise ServingError(
                "NOT_FOUND",
                f"expected the model {served.name!r} version {served.version}, found a request "
                f"for {asked}; ask for what is served.",
            )
        return served
