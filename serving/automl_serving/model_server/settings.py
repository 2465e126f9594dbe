"""The model server's settings, under TF Serving's flag names where it has them."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import ClassVar

from automl_serving.settings import Settings, check_port, setting


@dataclass(frozen=True)
class ModelServerSettings(Settings):
    """What the model server can be told."""

    prefix: ClassVar[str] = "AUTOML_MODEL_SERVER_"
    separator: ClassVar[str] = "_"

    model_base_path: Path = setting(  # noqa: RUF009 - it declares a field
        MISSING, "The folder that holds the model's versions, each in a folder named by a number."
    )
    model_name: str = setting("default", "The name the model is served under.")
    model_version: int | None = setting(
        None, "The version to serve instead of the highest (not a flag of TF Serving)."
    )
    port: int = setting(8500, "The port for gRPC; 0 takes any free one.")
    rest_api_port: int = setting(8501, "The port for REST; 0 takes any free one.")
    host: str = setting("127.0.0.1", "The address to listen on (not a flag of TF Serving).")
    runtime: str = setting("tensorflow", "The engine that executes the model.")
    max_request_bytes: int = setting(
        64 << 20, "The largest request, and the largest tensor in one, in bytes."
    )
    drain_seconds: float = setting(
        10.0, "How long requests in progress may take after SIGTERM, in seconds."
    )

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            UsageError: If one is out of its range.
        """
        check_port(self.port, self.flag("port"))
        check_port(self.rest_api_port, self.flag("rest_api_port"))
