"""Answers that gRPC and REST share, as TF Serving's messages."""

from __future__ import annotations

from typing import Any

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from automl_serving.model_server.servable import DEFAULT_SIGNATURE, Servable


def fill_model_spec(spec: Any, servable: Servable, signature_name: str | None = None) -> None:
    """Says in a `ModelSpec` which version answered, and by which signature."""
    spec.name = servable.name
    spec.version.value = servable.version
    if signature_name is not None:
        spec.signature_name = signature_name or DEFAULT_SIGNATURE


def status(servable: Servable) -> Any:
    """Returns a `GetModelStatusResponse`."""
    response = get_model_status_pb2.GetModelStatusResponse()
    version = response.model_version_status.add(version=servable.version)
    version.state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    version.status.error_message = ""
    return response


def signature_map(servable: Servable) -> Any:
    """Returns the model's signatures as a `SignatureDefMap`."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in servable.model.signatures.items():
        signatures.signature_def[name].CopyFrom(definition)
    return signatures


def metadata(servable: Servable) -> Any:
    """Returns a `GetModelMetadataResponse` with the signatures."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    fill_model_spec(response.model_spec, servable)
    response.metadata["signature_def"].Pack(signature_map(servable))
    return response
