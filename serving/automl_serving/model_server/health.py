"""gRPC's health protocol: which services can do their work."""

from __future__ import annotations

from typing import Any

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from automl_serving.model_server.grpc_api import MODEL_SERVICE, PREDICTION_SERVICE

SECONDS = 0.5
"""How often it should be told."""


class Health:
    """Answers for the server (the service `""`) and for each of its services."""

    def __init__(self, server: Any) -> None:
        """Adds the protocol to a gRPC server that has not started."""
        self._servicer = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def tell(self, complete: bool) -> None:
        """Says whether every model has a version that answers; ModelService always works."""
        for service in ("", PREDICTION_SERVICE, MODEL_SERVICE):
            serving = complete or service == MODEL_SERVICE
            states = health_pb2.HealthCheckResponse
            await self._servicer.set(service, states.SERVING if serving else states.NOT_SERVING)

    async def stop(self) -> None:
        """Says from now on that nothing is served."""
        await self._servicer.enter_graceful_shutdown()
