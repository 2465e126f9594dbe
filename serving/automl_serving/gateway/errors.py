"""What a request to the gateway can be answered instead of scores, each with its HTTP status."""

from __future__ import annotations

from collections.abc import Mapping

from automl.errors import AutomlError


class GatewayError(AutomlError):
    """Base of the errors whose text is meant for clients.

    Attributes:
        headers: What the answer carries besides.
    """

    headers: Mapping[str, str] = {}


class BadRequestError(GatewayError):
    """A body that is no scoring request."""

    http_status = 400
    code = "bad_request"


class UnauthorizedError(GatewayError):
    """No key, or a wrong one."""

    http_status = 401
    code = "unauthorized"
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="automl"'}


class UnknownModelError(GatewayError):
    """A model or version that is not served here."""

    http_status = 404
    code = "not_found"


class SlowRequestError(GatewayError):
    """A body that did not arrive in time."""

    http_status = 408
    code = "request_timeout"


class TooManyImagesError(GatewayError):
    """More images than one request may hold."""

    http_status = 413
    code = "too_many_images"


class UnsupportedMediaTypeError(GatewayError):
    """A body of a type that is not understood."""

    http_status = 415
    code = "unsupported_media_type"


class TooManyRequestsError(GatewayError):
    """More requests than a key may make."""

    http_status = 429
    code = "too_many_requests"

    def __init__(self, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.headers = headers


class UpstreamError(GatewayError):
    """The model server answered what no model of this manifest answers."""

    http_status = 502
    code = "upstream_failed"


class UnavailableError(GatewayError):
    """The model server cannot be reached, or does not serve the model now."""

    http_status = 503
    code = "unavailable"
    headers: Mapping[str, str] = {"Retry-After": "1"}


class DeadlineError(GatewayError):
    """The request took longer than it may."""

    http_status = 504
    code = "deadline_exceeded"
