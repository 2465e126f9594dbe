"""The two containers of a service, whoever runs them: what they are told, and where they listen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automl_plugins.targets.options import choice, text

USER = 65534
"""The user and the group of the containers, `nobody` on most systems."""

GATEWAY_PORT = 8080
GRPC_PORT = 8500
REST_PORT = 8501

MODELS = "/models"
MANIFEST = "/etc/automl/manifest.json"

GATEWAY_MEMORY = 1536
"""The most that the gateway may take, in MiB: 60 for itself, 128 for bodies, as much again for what
is made of them, and up to 1,000 for the largest picture that it decodes."""

MODEL_SERVER_MEMORY = 2048
"""The most that the model server may take, in MiB."""

TIMEOUT = 300.0
"""How long containers may take to come up by default, in seconds."""

_IMAGE = r"[a-z0-9][\w./:@-]{0,250}"


@dataclass(frozen=True)
class ModelServer:
    """A model server that others publish as an image.

    Attributes:
        image: The image, without a model.
        command: Its program there.
        model_path: The flag for the folder of a model's versions.
        rest_port: The flag for the port of its REST API.
        more: Other flags.
    """

    image: str
    command: str
    model_path: str
    rest_port: str
    more: tuple[str, ...] = ()

    def arguments(self, model: str) -> list[str]:
        """Returns the flags with which it serves `model`."""
        return [
            f"--model_name={model}",
            f"--{self.model_path}={MODELS}/{model}",
            f"--port={GRPC_PORT}",
            f"--{self.rest_port}={REST_PORT}",
            "--file_system_poll_wait_seconds=0",
            *self.more,
        ]


MODEL_SERVERS = {
    "tf-serving": ModelServer(
        image="tensorflow/serving:2.21.0",
        command="/usr/bin/tensorflow_model_server",
        model_path="model_base_path",
        rest_port="rest_api_port",
    ),
    "openvino": ModelServer(
        image="openvino/model_server:2026.4.0",
        command="/ovms/bin/ovms",
        model_path="model_path",
        rest_port="rest_port",
        # Its default on many processors is bfloat16, which moves probabilities.
        more=('--plugin_config={"INFERENCE_PRECISION_HINT": "f32"}',),
    ),
}


def chosen_server(options: Mapping[str, Any]) -> ModelServer:
    """Returns the model server of the options `server` and `server_image`.

    Raises:
        UsageError: If one is put wrongly.
    """
    server = MODEL_SERVERS[choice(options, "server", list(MODEL_SERVERS))]
    image = text(options, "server_image", _IMAGE, server.image)
    return ModelServer(**{**vars(server), "image": image or server.image})


def updated_options(kept: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of an update: what is given, and the rest of what was kept.

    An image is one server's: it does not stay with another server.
    """
    stays = {k: v for k, v in kept.items() if k != "server_image" or "server" not in given}
    return {**stays, **given}


def gateway_environment(model: str, upstream: str, keys: str) -> dict[str, str]:
    """Returns the gateway's settings.

    Args:
        model: The model's name.
        upstream: The host at which the model server is.
        keys: The path of the keys file.
    """
    return {
        "AUTOML_GATEWAY_MODEL": model,
        "AUTOML_GATEWAY_MANIFEST": MANIFEST,
        "AUTOML_GATEWAY_UPSTREAM": f"{upstream}:{GRPC_PORT}",
        "AUTOML_GATEWAY_HOST": "0.0.0.0",
        "AUTOML_GATEWAY_PORT": str(GATEWAY_PORT),
        "AUTOML_GATEWAY_KEYS_FILE": keys,
    }
