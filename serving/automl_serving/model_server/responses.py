"""Answers that gRPC and REST share, as TF Serving's messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

from automl_serving.model_server.catalog import Version
from automl_serving.model_server.messages import (
    GetModelMetadataResponse,
    GetModelStatusResponse,
    ModelVersionStatus,
    SignatureDefMap,
)
from automl_serving.model_server.servable import Servable


def status(versions: Sequence[Version]) -> Any:
    """Returns a `GetModelStatusResponse`."""
    response = GetModelStatusResponse()
    for version in versions:
        one = response.model_version_status.add(
            version=version.number, state=ModelVersionStatus.State.Value(version.state)
        )
        one.status.error_message = ""  # a status without an error is sent, too
        if version.error is not None:
            one.status.error_code = grpc.StatusCode[version.error.grpc_code].value[0]
            one.status.error_message = str(version.error)
    return response


def signature_map(servable: Servable) -> Any:
    """Returns the model's signatures as a `SignatureDefMap`."""
    signatures = SignatureDefMap()
    for name, definition in servable.model.signatures.items():
        signatures.signature_def[name].CopyFrom(definition)
    return signatures


def metadata(servable: Servable) -> Any:
    """Returns a `GetModelMetadataResponse` with the signatures."""
    response = GetModelMetadataResponse()
    servable.describe(response.model_spec)
    response.metadata["signature_def"].Pack(signature_map(servable))
    return response
