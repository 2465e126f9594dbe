"""Waits until a service answers, and looks whether it answers as the model did when exported."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from automl.components import DeployRequest, Precision
from automl.errors import AutomlError, DeploymentError
from automl_plugins.targets.precision import chosen_precision
from automl_plugins.targets.processes import Detached

LARGEST_DIFFERENCE: Mapping[Precision, float] = {"float32": 1e-3, "bfloat16": 0.1}
"""The most that a served probability may differ from the exported model's; engines round.

The pictures are patterns, of which a model is less sure than of those that its export measured:
bfloat16 was seen to move them by 0.06."""

_POLL = 0.1
_PATIENCE = 2.0


def is_ready(url: str, timeout: float = _PATIENCE) -> bool:
    """Says whether the gateway at `url` answers within `timeout` seconds that it is ready."""
    import httpx

    try:
        # No proxy of the environment's stands between this machine and itself.
        return httpx.get(f"{url}/readyz", timeout=timeout, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def ready_seconds(began: float) -> dict[str, float]:
    """Returns how long all of it took since `began`, as `time.monotonic` gives it."""
    return {"ready": round(time.monotonic() - began, 3)}


def wait_until_ready(url: str, processes: Sequence[Detached], timeout: float) -> None:
    """Returns when the gateway at `url` is ready.

    Raises:
        DeploymentError: If one of the processes ends, or it takes longer than `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        ended = next((process for process in processes if process.find() is None), None)
        if ended is not None:
            said = ended.last_line().removeprefix("Error: ") or "no word; deploy again."
            raise DeploymentError(
                f"expected the {ended.role} to start, found that it ended: {said}"
            )
        # The socket is open before the gateway runs: a question waits there for who will answer it.
        if is_ready(url, max(0.001, min(_PATIENCE, deadline - time.monotonic()))):
            return
        if time.monotonic() > deadline:
            raise DeploymentError(
                f"expected the service to be ready within {timeout:g} s, found it still starting; "
                f"close other programs or allow a longer timeout."
            )
        time.sleep(_POLL)


def check_answers(url: str, request: DeployRequest) -> None:
    """Compares what the service says about the reference pictures with what the model said.

    Models that were exported without a reference must score the pictures, no matter how.

    Raises:
        DeploymentError: If they are not scored, or otherwise.
    """
    from automl.client import score_endpoint
    from automl.export.reference import patterns, read_reference
    from automl.images import encode_png
    from automl.manifest import Manifest

    manifest = Manifest.read(Path(request.model_path))
    pictures = [encode_png(picture) for picture in patterns(manifest.height, manifest.width)]
    what = f"{request.model} version {request.version}"
    try:
        results = score_endpoint(url, request.key, pictures)
    except AutomlError as error:
        raise DeploymentError(f"expected {what} to score, found: {error}") from error
    for result in results:
        if "error" in result:
            raise DeploymentError(f"expected {what} to score, found: {result['error']['message']}")
    expected = read_reference(Path(request.model_path)) or []
    difference = max(
        (
            abs(result["scores"][label] - probability)
            for result, row in zip(results, expected, strict=False)
            for label, probability in zip(manifest.labels, row, strict=True)
        ),
        default=0.0,
    )
    precision = chosen_precision(request.options)
    if difference > LARGEST_DIFFERENCE[precision]:
        mended = "export it again" if precision == "float32" else "take --set precision=float32"
        raise DeploymentError(
            f"expected {what} to score as it did when it was exported, found probabilities that "
            f"differ by {difference:.2g}; {mended}."
        )
