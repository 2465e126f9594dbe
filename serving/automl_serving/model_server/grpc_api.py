"""TF Serving's gRPC services: PredictionService and ModelService.

Protocol: tensorflow_serving/apis/prediction_service.proto and model_service.proto. Methods
that are not here are answered UNIMPLEMENTED by gRPC itself.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from automl_serving import tensors
from automl_serving.model_server import responses
from automl_serving.model_server.errors import ServingError, as_serving_error
from automl_serving.model_server.models import ServedModel
from automl_serving.model_server.servable import Servable

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"

RunInThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function in the pool of inference threads."""


class GrpcApi:
    """The services' methods over one served model."""

    def __init__(self, models: ServedModel, run: RunInThread, max_bytes: int) -> None:
        self._models = models
        self._run = run
        self._max_bytes = max_bytes

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """Returns what a gRPC server is to be given."""
        services: dict[str, dict[str, tuple[Any, Any]]] = {
            PREDICTION_SERVICE: {
                "Predict": (self.Predict, predict_pb2.PredictRequest),
                "GetModelMetadata": (
                    self.GetModelMetadata,
                    get_model_metadata_pb2.GetModelMetadataRequest,
                ),
            },
            MODEL_SERVICE: {
                "GetModelStatus": (
                    self.GetModelStatus,
                    get_model_status_pb2.GetModelStatusRequest,
                ),
            },
        }
        return tuple(
            grpc.method_handlers_generic_handler(
                service,
                {
                    name: grpc.unary_unary_rpc_method_handler(
                        _with_status(method),
                        request_deserializer=request.FromString,
                        response_serializer=lambda response: response.SerializeToString(),
                    )
                    for name, (method, request) in methods.items()
                },
            )
            for service, methods in services.items()
        )

    async def Predict(self, request: Any) -> Any:
        """Runs a signature on the request's tensors."""
        servable = self._find(request.model_spec)
        return await self._run(functools.partial(self._predict, servable, request))

    def _predict(self, servable: Servable, request: Any) -> Any:
        name = request.model_spec.signature_name
        inputs = {
            key: tensors.from_proto(value, self._max_bytes) for key, value in request.inputs.items()
        }
        outputs = servable.predict(name, inputs, request.output_filter)
        response = predict_pb2.PredictResponse()
        responses.fill_model_spec(response.model_spec, servable, name)
        for key, array in outputs.items():
            tensors.to_proto(array, response.outputs[key])
        return response

    async def GetModelMetadata(self, request: Any) -> Any:
        """Answers with the model's signatures."""
        if list(request.metadata_field) != ["signature_def"]:
            raise ServingError(
                "INVALID_ARGUMENT",
                "expected the metadata_field 'signature_def', found "
                f"{ascii(list(request.metadata_field))[:200]}; ask for it alone.",
            )
        return responses.metadata(self._find(request.model_spec))

    async def GetModelStatus(self, request: Any) -> Any:
        """Answers with the state of the model's versions."""
        return responses.status(self._find(request.model_spec))

    def _find(self, spec: Any) -> Servable:
        version = spec.version.value if spec.HasField("version") else None
        return self._models.find(spec.name, version, spec.version_label)


def _with_status(method: Callable[[Any], Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Makes a method's errors gRPC statuses."""

    async def answer(request: Any, context: Any) -> Any:
        try:
            return await method(request)
        except Exception as error:
            told = as_serving_error(error)
            code = grpc.StatusCode[told.grpc_code]
        # Outside of the handler, so that gRPC's own exception has no cause to print.
        return await context.abort(code, str(told))

    return answer
