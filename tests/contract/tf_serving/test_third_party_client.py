"""`ovmsclient`, a client that others wrote for TensorFlow Serving and OpenVINO Model Server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

ovmsclient = pytest.importorskip(
    "ovmsclient", reason="ovmsclient is not installed: pip install ovmsclient"
)


@pytest.fixture(params=["grpc", "rest"])
def client(request: pytest.FixtureRequest, served: Any, monkeypatch: Any) -> Iterator[Any]:
    """A client over each protocol."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "grpc":
        made = ovmsclient.make_grpc_client(served.address)
        yield made
        made.channel.close()
    else:
        url = served.root.base_url
        made = ovmsclient.make_http_client(f"{url.host}:{url.port}")
        yield made
        made.session.close()


@pytest.mark.parametrize(("version", "answer"), [(123, 3.0), (124, 4.0)])
def test_predict(client: Any, version: int, answer: float) -> None:
    found = client.predict({"x": np.float32([2.0])}, "half_plus_two", version)
    assert np.asarray(found).tolist() == [answer]


def test_pictures(client: Any) -> None:
    images = np.zeros((3, 4, 4, 3), np.uint8)
    for place in range(3):
        images[place, ..., place] = 255
    found = client.predict({"images": images}, "image", 1)
    assert np.asarray(found["probabilities"]).argmax(axis=1).tolist() == [0, 1, 2]


def test_status(client: Any) -> None:
    found = client.get_model_status("half_plus_two", 123)
    assert found == {123: {"state": "AVAILABLE", "error_code": 0, "error_message": ""}}


def test_metadata(client: Any) -> None:
    found = client.get_model_metadata("image", 1)
    if "metadata" in found:  # over REST it understands only OpenVINO Model Server's spelling
        found = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert found["inputs"]["images"]["dtype"] == "DT_UINT8"
    else:
        assert found["inputs"]["images"] == {"dtype": "DT_UINT8", "shape": [-1, 4, 4, 3]}
        assert found["model_version"] == 1


@pytest.mark.parametrize(("model", "version"), [("foo", 1), ("half_plus_two", 9)])
def test_what_is_not_there(client: Any, model: str, version: int) -> None:
    with pytest.raises(ovmsclient.tfs_compat.base.errors.ModelNotFoundError):
        client.predict({"x": np.float32([2.0])}, model, version)
    with pytest.raises(ovmsclient.tfs_compat.base.errors.ModelNotFoundError):
        client.get_model_status(model, version)


def test_inputs_that_do_not_fit(client: Any) -> None:
    with pytest.raises(ovmsclient.tfs_compat.base.errors.InvalidInputError):
        client.predict({"z": np.float32([2.0])}, "half_plus_two", 123)
