"""The model server's settings, under TF Serving's flag names where it has them."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from automl.components import Precision
from automl.errors import UsageError
from automl_serving.settings import Settings, check_port, setting


@dataclass(frozen=True)
class ModelServerSettings(Settings):
    """What the model server can be told."""

    prefix: ClassVar[str] = "AUTOML_MODEL_SERVER_"
    separator: ClassVar[str] = "_"

    model_base_path: Path | None = setting(  # noqa: RUF009 - it declares a field
        None, "The folder that holds one model's versions, each in a folder named by a number."
    )
    model_name: str = setting("default", "The name that model is served under.")
    model_version: int | None = setting(
        None, "The version to serve instead of the highest (not a flag of TF Serving)."
    )
    model_config_file: Path | None = setting(  # noqa: RUF009 - it declares a field
        None, "Several models instead: a ModelServerConfig in text form."
    )
    model_config_file_poll_wait_seconds: float = setting(
        0.0, "How often that file is read again, in seconds; 0 is never."
    )
    file_system_poll_wait_seconds: float = setting(
        1.0,
        "How often new versions are looked for, in seconds; 0 is once, below 0 is not before a "
        "configuration comes over gRPC.",
    )
    allow_version_labels_for_unavailable_models: bool = setting(
        False, "Whether a new label may name a version that is not served yet."
    )
    enable_model_warmup: bool = setting(
        True, "Whether the warm-up requests in a model's assets.extra are run before it is served."
    )
    enable_batching: bool = setting(False, "Whether requests that wait are run together.")
    batching_parameters_file: Path | None = setting(  # noqa: RUF009 - it declares a field
        None, "How: BatchingParameters in text form, such as max_batch_size { value: 32 }."
    )
    port: int = setting(8500, "The port for gRPC; 0 takes any free one.")
    grpc_socket_path: Path | None = setting(  # noqa: RUF009 - it declares a field
        None, "A UNIX socket for gRPC beside that port."
    )
    rest_api_port: int = setting(8501, "The port for REST; 0 takes any free one.")
    rest_api_timeout_in_ms: int = setting(
        30000, "How long a REST request may take, in milliseconds."
    )
    host: str = setting("127.0.0.1", "The address to listen on (not a flag of TF Serving).")
    runtime: str = setting(
        "",
        "The engine that executes models: openvino, which leaves to TensorFlow what it cannot "
        "run, or tensorflow, the default where there is a GPU.",
    )
    precision: Precision = setting(  # noqa: RUF009 - it declares a field
        "float32",
        "What models are computed in: float32, or bfloat16, which is about twice as fast, where "
        "the processor has it and a model's manifest allows it (not a flag of TF Serving).",
    )
    max_request_bytes: int = setting(
        64 << 20, "The largest request, and the largest tensor in one, in bytes."
    )
    drain_seconds: float = setting(
        10.0, "How long requests in progress may take after SIGTERM, in seconds."
    )

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            UsageError: If one is out of its range, or two contradict each other.
        """
        check_port(self.port, self.flag("port"))
        check_port(self.rest_api_port, self.flag("rest_api_port"))
        if self.precision not in typing.get_args(Precision):
            raise UsageError(
                f"expected float32 or bfloat16 for --precision, found {self.precision!r}; "
                f"correct it."
            )
        if (self.model_base_path is None) == (self.model_config_file is None):
            found = "none" if self.model_base_path is None else "both"
            raise UsageError(
                f"expected either --model_base_path or --model_config_file, found {found}; "
                f"give one."
            )
        if self.batching_parameters_file is not None and not self.enable_batching:
            raise UsageError(
                "expected --enable_batching with --batching_parameters_file, found none; add it."
            )
