"""What a request to the model server can meet, as a gRPC status and an HTTP one."""

from __future__ import annotations

import logging

from automl.errors import AutomlError, DataError

logger = logging.getLogger(__name__)

HTTP_STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
"""HTTP status by gRPC code: tensorflow_serving/model_servers/http_rest_api_util.cc."""


class ServingError(AutomlError):
    """A request that is answered by an error.

    Attributes:
        grpc_code: The name of its gRPC status, such as `"NOT_FOUND"`.
    """

    def __init__(self, grpc_code: str, message: str) -> None:
        super().__init__(message)
        self.grpc_code = grpc_code
        self.http_status = HTTP_STATUS[grpc_code]


class QueueFullError(ServingError):
    """More requests are waiting than may.

    TF Serving answers UNAVAILABLE, which gRPC clients take for a lost connection and retry at
    once; RESOURCE_EXHAUSTED tells them to hold back. Over REST it is 503 in both.
    """

    def __init__(self, message: str) -> None:
        super().__init__("RESOURCE_EXHAUSTED", message)
        self.http_status = HTTP_STATUS["UNAVAILABLE"]


def as_load_error(error: Exception) -> ServingError:
    """Returns what a model's status says of a version that could not be loaded.

    It is another error, since the one that was raised holds on to all that it passed through.
    """
    if isinstance(error, ServingError):
        return ServingError(error.grpc_code, str(error))
    if isinstance(error, AutomlError):
        return ServingError("FAILED_PRECONDITION", str(error))
    logger.error("a model could not be loaded", exc_info=error)
    return ServingError(
        "INTERNAL",
        f"expected a model that can be loaded, found {type(error).__name__}: {error}; export it "
        f"again.",
    )


def code_of(error: BaseException) -> str:
    """Returns the name of the gRPC status that an error becomes."""
    if isinstance(error, ServingError):
        return error.grpc_code
    if isinstance(error, TimeoutError):
        return "DEADLINE_EXCEEDED"
    if isinstance(error, DataError):
        return "INVALID_ARGUMENT"
    return "INTERNAL" if isinstance(error, Exception) else "CANCELLED"


def as_serving_error(error: Exception) -> ServingError:
    """Returns what the client is told about `error`; what is unforeseen is logged instead."""
    if isinstance(error, ServingError):
        return error
    code = code_of(error)
    if code == "INVALID_ARGUMENT":
        return ServingError(code, str(error))
    if code == "DEADLINE_EXCEEDED":
        return ServingError(
            code, "expected an answer in time, found none; send less at a time, or allow more time."
        )
    logger.error("a request failed", exc_info=error)
    return ServingError(
        "INTERNAL",
        "expected the model to answer, found a fault in the server; see its log.",
    )
