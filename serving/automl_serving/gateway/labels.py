"""Follows a label at the model server to the version that it stands for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import grpc

from automl.errors import AutomlError
from automl.manifest import Manifest
from automl_serving import lifecycle
from automl_serving.gateway.releases import Version
from automl_serving.gateway.stubs import GetModelMetadataRequest
from automl_serving.gateway.upstream import Upstream

logger = logging.getLogger(__name__)

SECONDS = 1.0
"""How often it is looked."""

_TIMEOUT = 2.0
_UNSET = (
    grpc.StatusCode.INVALID_ARGUMENT,  # there is no such label
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,  # its version is not served
)


class Label:
    """A label, and the version that it stood for when it was last looked.

    Requests go on naming a version by its number, which alone fits a manifest. So an answer never
    is that of a version whose labels the gateway does not hold, whenever a label moves.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        upstream: Upstream,
        open_version: Callable[[Manifest], Version],
        put: Callable[[Version | None], None],
    ) -> None:
        """Knows no version yet.

        Args:
            name: The label.
            folder: Holds the model's versions, each in a folder named by its number.
            upstream: Where the label is asked for.
            open_version: Connects to the version of a manifest.
            put: Is given the version each time that it is another; `None` where there is none.
        """
        self._name, self._folder, self._upstream = name, folder, upstream
        self._open_version, self._put = open_version, put
        self._number: int | None = None
        self._unreadable: int | None = None
        self._opened: dict[int, Version] = {}

    async def follow(self) -> None:
        """Looks again and again, until it is cancelled."""
        await lifecycle.every(SECONDS, self._look)

    async def close(self) -> None:
        """Closes the connections."""
        for version in self._opened.values():
            await version.upstream.close()

    async def _look(self) -> None:
        request = GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self._upstream.model
        request.model_spec.version_label = self._name
        number = None
        try:
            told = await self._upstream.prediction.GetModelMetadata(request, timeout=_TIMEOUT)
            if told is None:  # what gRPC makes of bytes that are no message
                return
            number = int(told.model_spec.version.value)
        except grpc.aio.AioRpcError as error:
            if error.code() not in _UNSET:
                return  # a model server that cannot be reached tells nothing of its labels
        version = None
        if number is not None and number != self._number:
            version = self._version(number)
            if version is None:
                number = None  # its folder may come yet, and is looked for again
        if number == self._number:
            return
        self._number = number
        shown = "no version" if version is None else f"version {number}"
        logger.info("the label %r stands for %s", self._name, shown)
        self._put(version)

    def _version(self, number: int) -> Version | None:
        if number not in self._opened:
            try:
                manifest = Manifest.read(self._folder / str(number))
            except AutomlError as error:
                if number != self._unreadable:
                    logger.error("the label %r cannot be followed yet: %s", self._name, error)
                self._unreadable = number
                return None
            self._unreadable = None
            self._opened[number] = self._open_version(manifest)
        return self._opened[number]
