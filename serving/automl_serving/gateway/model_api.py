"""TF Serving's REST API for the one model: predict, status and metadata.

Nothing that a client sends goes on as it is. JSON becomes arrays here, within limits, and those
go to the model server as tensors over gRPC; its own JSON parser, which deeply nested values have
crashed (CVE-2025-0649), never sees any.
"""

from __future__ import annotations

import functools
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from starlette.requests import Request
from starlette.responses import Response

from automl.errors import DataError
from automl_serving import tensors
from automl_serving.gateway import answers
from automl_serving.gateway.errors import (
    BadRequestError,
    GatewayError,
    UnknownModelError,
    UpstreamError,
)
from automl_serving.gateway.stubs import (
    GetModelMetadataRequest,
    GetModelStatusRequest,
    PredictRequest,
    SignatureDefMap,
)
from automl_serving.gateway.upstream import MAX_ANSWER, Upstream, as_gateway_error
from automl_serving.json_tensors import JsonRequest, to_json

_MOST_VALUES = 2_000_000
"""How many of `[`, `{` and `,` a body may have; each can become many bytes."""

_LARGEST_VERSION = 2**63 - 1


class ModelApi:
    """Asks a model server for what its own REST API tells."""

    def __init__(self, upstream: Upstream, run: Any) -> None:
        """Takes the model server, and what runs a function in a thread."""
        self._upstream = upstream
        self._run = run

    async def status(self, request: Request, deadline: float) -> Response:
        """Tells the state of the model's versions."""
        asked = GetModelStatusRequest()
        self._name(request, asked.model_spec)
        told = await self._call(self._upstream.models.GetModelStatus, asked, deadline)
        for version in told.model_version_status:
            version.status.error_message = ""  # meant for the model server's operator
        return answers.answer(_as_dict(told))

    async def metadata(self, request: Request, deadline: float) -> Response:
        """Tells the model's signatures."""
        spec, signatures = await self._signatures(request, deadline)
        content = {"signature_def": _as_dict(signatures)}
        return answers.answer({"model_spec": _as_dict(spec), "metadata": content})

    async def predict(self, request: Request, body: bytes, deadline: float) -> Response:
        """Runs a signature on the values in a body, of the version that the path names."""
        spec, signatures = await self._signatures(request, deadline)
        read = functools.partial(_read, body, signatures)
        by_row, message = await self._run(read)
        message.model_spec.name = spec.name
        message.model_spec.version.value = spec.version.value
        told = await self._call(self._upstream.prediction.Predict, message, deadline)
        return answers.encoded(await self._run(functools.partial(_write, told, by_row)))

    async def _signatures(self, request: Request, deadline: float) -> tuple[Any, Any]:
        asked = GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name(request, asked.model_spec)
        told = await self._call(self._upstream.prediction.GetModelMetadata, asked, deadline)
        signatures = SignatureDefMap()
        try:
            told.metadata["signature_def"].Unpack(signatures)
        except DecodeError as error:
            raise UpstreamError(
                "expected signatures from the model server, found other bytes; check what "
                "--upstream names."
            ) from error
        return told.model_spec, signatures

    def _name(self, request: Request, spec: Any) -> None:
        """Says in a `ModelSpec` what the path names; without a version it is the newest."""
        path = request.path_params
        if path["model"] != self._upstream.model:
            raise UnknownModelError(
                f"expected the model {self._upstream.model}, found another in the path; ask for "
                f"that one."
            )
        spec.name = path["model"]
        if "label" in path:
            spec.version_label = path["label"]
        elif "version" in path:
            number = path["version"]
            known = number.isascii() and number.isdecimal() and len(number) <= 19
            if not known or int(number) > _LARGEST_VERSION:
                raise BadRequestError(
                    "expected a version's number, found another text in the path; correct it."
                )
            spec.version.value = int(number)

    async def _call(self, method: Any, message: Any, deadline: float) -> Any:
        try:
            return await self._upstream.call(method, message, deadline)
        except grpc.aio.AioRpcError as error:
            raise _told(error) from error


def _read(body: bytes, signatures: Any) -> tuple[bool, Any]:
    """Returns whether the answer is to be by row, and a `PredictRequest` with the inputs."""
    if sum(body.count(mark) for mark in b"[{,") > _MOST_VALUES:
        raise BadRequestError(
            f"expected at most {_MOST_VALUES:,} values, found more; send them in several requests."
        )
    message = PredictRequest()
    try:
        request = JsonRequest.parse(body)
        name = request.signature_name or "serving_default"
        if name not in signatures.signature_def:
            raise DataError(
                f"expected a signature of the model, found {name[:40]!a}; see /metadata for those."
            )
        message.model_spec.signature_name = name
        infos = signatures.signature_def[name].inputs
        for key, array in request.arrays(infos).items():
            tensors.to_proto(array, message.inputs[key])
    except DataError as error:
        raise BadRequestError(str(error)) from error
    return request.by_row, message


def _write(told: Any, by_row: bool) -> bytes:
    try:
        arrays = {
            name: tensors.from_proto(value, MAX_ANSWER) for name, value in told.outputs.items()
        }
    except DataError as error:
        raise UpstreamError(
            "expected tensors from the model server, found other values; its log may say why."
        ) from error
    try:
        return to_json(arrays, by_row)
    except DataError as error:
        raise BadRequestError(str(error)) from error


def _as_dict(message: Any) -> dict[str, Any]:
    fields: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return fields


def _told(error: grpc.aio.AioRpcError) -> GatewayError:
    """Returns what a status means where the client chose model and inputs."""
    code = error.code()
    if code == grpc.StatusCode.NOT_FOUND:
        return UnknownModelError(
            "expected a version that the model server serves, found another; see /v1/models/NAME."
        )
    if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION):
        return BadRequestError(
            "expected inputs and a version that the model takes, found others; see its metadata."
        )
    return as_gateway_error(error)
