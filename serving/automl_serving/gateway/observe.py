"""Around every request: its id, its line in the log, its metrics, and the last line of defence."""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from automl_serving.gateway.metrics import Metrics
from automl_serving.gateway.tracing import Tracing

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("automl_serving.gateway.access")

OPERATION = "automl.operation"
"""Where a request's scope names the path that answers it, which others fit, too."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Observe:
    """ASGI middleware; handlers add to the log line through `request.state.log`, a dict.

    What a request's images or keys hold is never logged.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Collection[str]) -> None:
        """Takes the paths that are counted by name; all others are counted as one."""
        self._app = app
        self._metrics = metrics
        self._paths = frozenset(paths)
        self._tracing = Tracing()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "http":
            with self._tracing.request(scope) as tell:
                await self._answer(scope, receive, send, tell)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, tell: Callable[[str, str, int], None]
    ) -> None:
        request_id = _request_id(scope)
        fields: dict[str, Any] = {}
        scope.setdefault("state", {})["log"] = fields
        status = 0
        began = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            with self._metrics.in_progress.track_inprogress():
                await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = 499
        except Exception:
            # Starlette has answered by now; what went wrong is for the operator only.
            logger.exception("a request failed", extra={"request_id": request_id.decode()})
        finally:
            seconds = time.perf_counter() - began
            path = scope["path"] if scope["path"] in self._paths else "other"
            path = scope.get(OPERATION, path)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            tell(method, path, status)
            self._metrics.requests.labels(path, method, str(status)).inc()
            self._metrics.request_seconds.labels(path).observe(seconds)
            client = scope.get("client")
            access_logger.info(
                "request",
                extra={
                    "request_id": request_id.decode(),
                    "method": method,
                    "path": scope["path"][:200],
                    "status": status,
                    "seconds": round(seconds, 6),
                    "client": client[0] if client else "",
                    **fields,
                },
            )


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and whatever `extra` held."""

    _OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as JSON."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        content = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{key: value for key, value in vars(record).items() if key not in self._OWN},
        }
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return json.dumps(content, default=str)


def _request_id(scope: Scope) -> bytes:
    """Returns the client's own id where it is harmless, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.match(value):
            return bytes(value)
    return b"%032x" % random.getrandbits(128)
