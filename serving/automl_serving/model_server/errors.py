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


def as_serving_error(error: Exception) -> ServingError:
    """Returns what the client is told about `error`; what is unforeseen is logged instead."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, DataError):
        return ServingError("INVALID_ARGUMENT", str(error))
    logger.error("a request failed", exc_info=error)
    return ServingError(
        "INTERNAL",
        "expected the model to answer, found a fault in the server; see its log.",
    )
