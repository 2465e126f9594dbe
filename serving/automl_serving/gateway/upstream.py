"""Asks the model server, over TF Serving's gRPC protocol and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np

from automl.errors import DataError
from automl_serving import tensors
from automl_serving.gateway.calls import Calls
from automl_serving.gateway.errors import (
    DeadlineError,
    GatewayError,
    UnavailableError,
    UpstreamError,
)
from automl_serving.gateway.stubs import (
    GetModelStatusRequest,
    ModelServiceStub,
    ModelVersionStatus,
    PredictionServiceStub,
    PredictRequest,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_ANSWER = 64 << 20
"""The most bytes of one of the model server's messages."""

_OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    # A model server that was restarted is found again within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", MAX_ANSWER),
    ("grpc.max_send_message_length", -1),
]


class Upstream:
    """One version of a model at a model server.

    Attributes:
        model: The model's name there.
        version: Its version; no other one fits the labels that the gateway holds.
        calls: How its methods are called.
        prediction: The stub of its PredictionService.
        models: The stub of its ModelService.
    """

    def __init__(self, address: str, model: str, version: int) -> None:
        """Prepares the connection; must be called in a running event loop."""
        self.model = model
        self.version = version
        self.calls = Calls()
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self.prediction = PredictionServiceStub(self._channel)
        self.models = ModelServiceStub(self._channel)

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()

    async def check(self, timeout: float) -> None:
        """Returns if the model server says that the version is available.

        Raises:
            UnavailableError: If it does not say so within `timeout` seconds.
        """
        request = GetModelStatusRequest()
        self._name(request.model_spec)
        try:
            answer = await self.models.GetModelStatus(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            told = as_gateway_error(error)
            raise UnavailableError(str(told)) from None
        if answer is None:  # what gRPC makes of bytes that are no message
            raise _not_served()
        states = {status.version: status.state for status in answer.model_version_status}
        if states.get(self.version) != ModelVersionStatus.AVAILABLE:
            raise _not_served()

    async def call(self, method: Any, request: Any, deadline: float) -> Any:
        """Calls a method of one of the stubs, as `Calls.call` does."""
        return await self.calls.call(method, request, deadline)

    async def predict(
        self, images: Sequence[NDArray[np.uint8]], classes: int, deadline: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Classifies images.

        Args:
            images: uint8 `[H, W, 3]`, 1 or more of one size.
            classes: How many columns the answer must have.
            deadline: When the answer is due, in the event loop's time.

        Returns:
            Probabilities and logits, float32 `[N, classes]`.

        Raises:
            UnavailableError: If the model server or the model cannot be reached.
            DeadlineError: If it took too long.
            UpstreamError: If the answer is not what a model of this manifest gives.
        """
        request = PredictRequest()
        self._name(request.model_spec)
        request.model_spec.signature_name = "serving_default"
        tensors.rows_to_proto(images, request.inputs["images"])
        try:
            answer = await self.call(self.prediction.Predict, request, deadline)
        except grpc.aio.AioRpcError as error:
            raise as_gateway_error(error) from error
        shape = (len(images), classes)
        return _scores(answer, "probabilities", shape), _scores(answer, "logits", shape)

    def _name(self, spec: Any) -> None:
        spec.name = self.model
        spec.version.value = self.version


def _scores(answer: Any, name: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    try:
        array = tensors.from_proto(answer.outputs[name], MAX_ANSWER)
    except DataError:
        array = np.empty(0)
    if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
        raise UpstreamError(
            f"expected finite {name} for {shape[0]} images and {shape[1]} labels, found another "
            f"answer of the model server; check that it serves the version of the manifest."
        )
    return array


def as_gateway_error(error: grpc.aio.AioRpcError) -> GatewayError:
    """Returns our own words for a status; the model server's are for its operator."""
    code = error.code()
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineError(
            "expected the model server to answer in time, found it did not; retry later or send "
            "fewer images."
        )
    if code == grpc.StatusCode.NOT_FOUND:
        return _not_served()
    if code == grpc.StatusCode.UNAVAILABLE:
        return UnavailableError(
            "expected the model server to be reachable, found it is not; retry in a moment."
        )
    if code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED):
        return UnavailableError(
            "expected the model server to have room, found it busy; retry in a moment."
        )
    return UpstreamError(
        "expected scores from the model server, found an error; its log says which."
    )


def _not_served() -> UnavailableError:
    return UnavailableError(
        "expected the model server to serve the model, found it does not; retry in a moment."
    )
