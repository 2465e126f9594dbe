"""LitServe with batching, after https://lightning.ai/docs/litserve/features/batching.

A worker decodes and infers in turn, so there is one for each core.
"""

import os
from typing import Any

import litserve
import numpy as np
from fastapi import Request
from openvino_model import CORES, alone, pixels


class Api(litserve.LitAPI):  # type: ignore[misc]
    """Scores the picture in a form."""

    def setup(self, device: str) -> None:
        """Loads the model."""
        self.classify = alone()

    def decode_request(self, request: Request) -> Any:
        """Returns a picture's pixels."""
        return pixels(request["image"].file.read())

    def batch(self, inputs: list[Any]) -> Any:
        """Puts pictures together."""
        return np.stack(inputs)

    def predict(self, images: Any) -> Any:
        """Returns their probabilities."""
        return self.classify(images)

    def unbatch(self, output: Any) -> list[Any]:
        """Takes them apart again."""
        return list(output)

    def encode_response(self, output: Any) -> list[float]:
        """Returns a picture's probabilities."""
        return output.tolist()  # type: ignore[no-any-return]


if __name__ == "__main__":
    api = Api(max_batch_size=8, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=CORES)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        generate_client_file=False,
    )
