"""Which models are served, from flags, a file or a request: TF Serving's `ModelServerConfig`.

Format: tensorflow_serving/config/model_server_config.proto. The rules are those of
`ServerCore::ReloadConfig` in tensorflow_serving/model_servers/server_core.cc.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from automl_serving.model_server.errors import ServingError
from automl_serving.model_server.messages import ModelServerConfig

PLATFORM = "tensorflow"


@dataclass(frozen=True)
class ModelConfig:
    """One model.

    Attributes:
        name: What requests call it.
        base_path: The folder that holds its versions.
        latest: How many of the highest versions to serve; 0 for all.
        specific: The versions to serve instead, if there are any.
        labels: Versions by label.
    """

    name: str
    base_path: Path
    latest: int = 1
    specific: frozenset[int] = frozenset()
    labels: Mapping[str, int] = field(default_factory=dict)


def read_config(path: Path) -> list[ModelConfig]:
    """Reads a `--model_config_file`.

    Raises:
        ServingError: INVALID_ARGUMENT if it cannot be read, or is no such configuration.
    """
    message = ModelServerConfig()
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), message)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ServingError(
            "INVALID_ARGUMENT",
            f"expected a ModelServerConfig in text form in {path}, found otherwise ({error}); "
            f"correct the file.",
        ) from error
    return parse_config(message)


def parse_config(message: Any) -> list[ModelConfig]:
    """Checks a `ModelServerConfig` message.

    Raises:
        ServingError: INVALID_ARGUMENT if it cannot be served.
    """
    if message.WhichOneof("config") != "model_config_list":
        raise _invalid("a model_config_list", f"{message.WhichOneof('config') or 'nothing'}")
    configs = [_parse_model(model) for model in message.model_config_list.config]
    names = [config.name for config in configs]
    for name in names:
        if names.count(name) > 1:
            raise _invalid("each model once", f"{name!a} twice")
    return configs


def _parse_model(model: Any) -> ModelConfig:
    if not model.name:
        raise _invalid("a name for each model", "none")
    platform = model.model_platform or (PLATFORM if model.model_type == 1 else "")
    if platform != PLATFORM:
        raise _invalid(f"model_platform {PLATFORM!r} for {model.name!a}", f"{platform!a}")
    base_path = Path(model.base_path)
    if not base_path.is_absolute():
        raise _invalid(f"an absolute base_path for {model.name!a}", f"{model.base_path!a}")
    policy = model.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    specific = frozenset(policy.specific.versions) if kind == "specific" else frozenset()
    if kind == "specific" and not specific:
        raise _invalid(f"versions in the specific policy of {model.name!a}", "none")
    latest = 0 if kind == "all" else max(policy.latest.num_versions, 1)
    labels = dict(model.version_labels)
    return ModelConfig(model.name, base_path, latest, specific, labels)


def _invalid(expected: str, found: str) -> ServingError:
    return ServingError(
        "INVALID_ARGUMENT",
        f"expected {expected}, found {found[:200]}; correct the model configuration.",
    )
