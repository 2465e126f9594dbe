"""Keeps what is served in step with the configuration and with what lies on disk.

After TF Serving's `AspiredVersionsManager` with its availability-preserving policy: a new version
is loaded and warmed beside the old one, which goes once the new one answers, after its last
request. All methods belong to the event loop; only loading and looking at the disk happen in
threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from automl.errors import NotFoundError
from automl_serving.model_server.catalog import Catalog, Version
from automl_serving.model_server.config import ModelConfig
from automl_serving.model_server.errors import ServingError, as_load_error
from automl_serving.model_server.servable import Servable
from automl_serving.model_server.versions import stamp, wanted_versions

logger = logging.getLogger(__name__)

Load = Callable[[str, int, Path, bool], Servable]
"""Loads and warms a version, given its model's name, its number, its folder and whether others
answer in the meantime."""


class ModelManager:
    """Brings versions up and takes them down."""

    def __init__(self, catalog: Catalog, load: Load, labels_may_wait: bool = False) -> None:
        """Prepares a manager of no models.

        Args:
            catalog: Where it keeps what is served.
            load: Loads a version; is called in a thread.
            labels_may_wait: Whether a new label may name a version that is not served yet.
        """
        self._load = load
        self._labels_may_wait = labels_may_wait
        self._catalog = catalog
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        # One, so that versions are loaded one after another however many are new.
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")

    async def apply(self, configs: Sequence[ModelConfig]) -> None:
        """Serves these models and no others; returns once each has a version that answers.

        Who stops to wait for it does not stop it, since nothing may stay half loaded.

        Raises:
            ServingError: FAILED_PRECONDITION if a label names a version that is not served, in
                which case nothing has changed; UNKNOWN if a model has no version that answers.
        """
        await asyncio.shield(self._in_background(self._apply(configs)))

    async def _apply(self, configs: Sequence[ModelConfig]) -> None:
        async with self._turn:
            for config in configs:
                self._check_labels(config)
            self._catalog.configs = {config.name: config for config in configs}
            problems = await self._follow()
        missing = [name for name in self._catalog.configs if not self._catalog.available(name)]
        if missing:
            why = " ".join(problems.get(name) or self._failure(name) for name in missing)
            raise ServingError("UNKNOWN", why)

    async def poll(self) -> None:
        """Looks for new and removed versions, and loads and unloads them."""
        async with self._turn:
            for problem in (await self._follow()).values():
                logger.warning("%s", problem)

    async def _follow(self) -> dict[str, str]:
        """Does what the configuration wants; returns what stands against it by model."""
        loop = asyncio.get_running_loop()
        problems = {}
        for name in {*self._catalog.versions, *self._catalog.configs}:
            wanted: Mapping[int, Path] = {}
            if name in self._catalog.configs:
                try:
                    config = self._catalog.configs[name]
                    wanted = await loop.run_in_executor(self._loader, wanted_versions, config)
                except NotFoundError as error:
                    # A folder that cannot be read now tells nothing: what is served stays.
                    problems[name] = str(error)
                    continue
            await self._follow_model(name, wanted)
        return problems

    async def _follow_model(self, name: str, wanted: Mapping[int, Path]) -> None:
        known = self._catalog.versions.setdefault(name, {})
        for number, path in wanted.items():
            if await self._is_new(known.get(number), path):
                known[number] = Version(number, path)
        for number in wanted:
            if known[number].state == "START":
                await self._bring_up(name, known[number])
        if not wanted or any(known[number].state == "AVAILABLE" for number in wanted):
            for number, version in known.items():
                if number not in wanted and version.state == "AVAILABLE":
                    self._take_down(name, version)

    async def _is_new(self, version: Version | None, path: Path) -> bool:
        if version is None:
            return True
        if version.state != "END":
            return False
        if version.error is None:  # it was removed, and is back
            return True
        # One that failed may have been written halfway.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._loader, stamp, path) != version.stamp

    async def _bring_up(self, name: str, version: Version) -> None:
        version.state = "LOADING"
        loop = asyncio.get_running_loop()
        beside = any(self._catalog.available(other) for other in self._catalog.versions)
        try:
            version.stamp = await loop.run_in_executor(self._loader, stamp, version.path)
            version.servable = await loop.run_in_executor(
                self._loader, self._load, name, version.number, version.path, beside
            )
        except Exception as error:
            version.state, version.error = "END", as_load_error(error)
            logger.error("%s version %d cannot be served: %s", name, version.number, version.error)
        else:
            version.state = "AVAILABLE"
            logger.info("serving %s version %d", name, version.number)

    def _take_down(self, name: str, version: Version) -> None:
        version.state = "UNLOADING"
        self._in_background(self._drain(name, version))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _drain(self, name: str, version: Version) -> None:
        while version.users:
            version.unused.clear()
            await version.unused.wait()
        await asyncio.get_running_loop().run_in_executor(self._loader, _free, version)
        version.state = "END"
        logger.info("unloaded %s version %d", name, version.number)

    def close(self) -> None:
        """Loads nothing more."""
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _failure(self, name: str) -> str:
        failed = [v for v in self._catalog.versions.get(name, {}).values() if v.error is not None]
        if failed:
            return str(failed[-1].error)
        base_path = self._catalog.configs[name].base_path
        return (
            f"expected a folder named by a version to serve, such as {base_path / '1'}, found none "
            f"in {base_path}; export a model there or correct the base path of {name}."
        )

    def _check_labels(self, config: ModelConfig) -> None:
        known = self._catalog.configs.get(config.name)
        current = known.labels if known is not None else {}
        served = [version.number for version in self._catalog.available(config.name)]
        for label, number in config.labels.items():
            may_wait = self._labels_may_wait and label not in current
            if number not in served and not may_wait:
                raise ServingError(
                    "FAILED_PRECONDITION",
                    f"expected a served version of {config.name} for the label {label!a}, found "
                    f"{number}; serve it first, or start the server with "
                    f"--allow_version_labels_for_unavailable_models.",
                )


def _free(version: Version) -> None:
    if version.servable is not None:
        version.servable.model.close()
        version.servable = None
