"""TF Serving's gRPC services: PredictionService and ModelService.

Protocol: tensorflow_serving/apis/prediction_service.proto and model_service.proto.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from automl_serving import tensors
from automl_serving.model_server import examples, messages, responses
from automl_serving.model_server.catalog import Catalog
from automl_serving.model_server.config import parse_config
from automl_serving.model_server.errors import ServingError, as_serving_error
from automl_serving.model_server.execution import Predict, RunInThread
from automl_serving.model_server.manager import ModelManager
from automl_serving.model_server.metrics import ServerMetrics
from automl_serving.model_server.servable import Servable

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"

_SMALL = 1 << 20
"""Bytes of a predict request whose tensors are read, and answer written, in a few microseconds."""

ByExamples = Callable[[Servable, Any], Any]


class GrpcApi:
    """The services' methods."""

    def __init__(
        self,
        catalog: Catalog,
        manager: ModelManager,
        predict: Predict,
        run: RunInThread,
        metrics: ServerMetrics,
        max_bytes: int,
    ) -> None:
        self._catalog = catalog
        self._manager = manager
        self._execute = predict
        self._run = run
        self._metrics = metrics
        self._max_bytes = max_bytes

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """Returns what a gRPC server is to be given."""
        services: dict[str, dict[str, tuple[Any, Any]]] = {
            PREDICTION_SERVICE: {
                "Predict": (self.Predict, _sized_predict_request),
                "Classify": (self.Classify, messages.ClassificationRequest.FromString),
                "Regress": (self.Regress, messages.RegressionRequest.FromString),
                "MultiInference": (
                    self.MultiInference,
                    messages.MultiInferenceRequest.FromString,
                ),
                "GetModelMetadata": (
                    self.GetModelMetadata,
                    messages.GetModelMetadataRequest.FromString,
                ),
            },
            MODEL_SERVICE: {
                "GetModelStatus": (
                    self.GetModelStatus,
                    messages.GetModelStatusRequest.FromString,
                ),
                "HandleReloadConfigRequest": (
                    self.HandleReloadConfigRequest,
                    messages.ReloadConfigRequest.FromString,
                ),
            },
        }
        return tuple(
            grpc.method_handlers_generic_handler(
                service,
                {
                    name: grpc.unary_unary_rpc_method_handler(
                        _with_status(method),
                        request_deserializer=read,
                        response_serializer=lambda response: response.SerializeToString(),
                    )
                    for name, (method, read) in methods.items()
                },
            )
            for service, methods in services.items()
        )

    async def Predict(self, sized: tuple[Any, int]) -> Any:
        """Runs a signature on the tensors of a request, of which the bytes are told."""
        request, size = sized
        spec = request.model_spec
        with self._counted(spec, "Predict"), self._use(spec) as servable:
            return await self._execute(
                servable,
                spec.signature_name,
                functools.partial(self._decode, request),
                functools.partial(_encode, servable, spec.signature_name),
                list(request.output_filter),
                small=size <= _SMALL,
            )

    async def Classify(self, request: Any) -> Any:
        """Runs a classification signature on examples."""
        return await self._by_examples(request.model_spec, "Classify", examples.classify, request)

    async def Regress(self, request: Any) -> Any:
        """Runs a regression signature on examples."""
        return await self._by_examples(request.model_spec, "Regress", examples.regress, request)

    async def MultiInference(self, request: Any) -> Any:
        """Runs several signatures of one model on the same examples."""
        spec = request.tasks[0].model_spec if request.tasks else messages.ModelSpec()
        run = examples.multi_inference
        return await self._by_examples(spec, "MultiInference", run, request)

    async def GetModelMetadata(self, request: Any) -> Any:
        """Answers with the model's signatures."""
        if list(request.metadata_field) != ["signature_def"]:
            raise ServingError(
                "INVALID_ARGUMENT",
                "expected the metadata_field 'signature_def', found "
                f"{ascii(list(request.metadata_field))[:200]}; ask for it alone.",
            )
        with self._use(request.model_spec) as servable:
            return responses.metadata(servable)

    async def GetModelStatus(self, request: Any) -> Any:
        """Answers with the state of the model's versions."""
        return responses.status(self._catalog.states(*_asked(request.model_spec)))

    async def HandleReloadConfigRequest(self, request: Any) -> Any:
        """Serves the models of a configuration, and no others."""
        await self._manager.apply(parse_config(request.config))
        response = messages.ReloadConfigResponse()
        response.status.error_message = ""
        return response

    async def _by_examples(self, spec: Any, api: str, run: ByExamples, request: Any) -> Any:
        with self._counted(spec, api), self._use(spec) as servable:
            return await self._run(functools.partial(run, servable, request))

    def _use(self, spec: Any) -> Any:
        return self._catalog.use(*_asked(spec))

    def _counted(self, spec: Any, api: str) -> Any:
        return self._metrics.request(self._catalog.known(spec.name), api, "GRPC")

    def _decode(self, request: Any) -> Any:
        return {
            key: tensors.from_proto(value, self._max_bytes) for key, value in request.inputs.items()
        }


def _sized_predict_request(content: bytes) -> tuple[Any, int]:
    # A message knows no size: it would be written anew to be told.
    return messages.PredictRequest.FromString(content), len(content)


def _encode(servable: Servable, signature_name: str, outputs: Any) -> Any:
    response = messages.PredictResponse()
    servable.describe(response.model_spec, signature_name)
    for key, array in outputs.items():
        tensors.to_proto(array, response.outputs[key])
    return response


def _asked(spec: Any) -> tuple[str, int | None, str]:
    version = spec.version.value if spec.HasField("version") else None
    return spec.name, version, spec.version_label


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
