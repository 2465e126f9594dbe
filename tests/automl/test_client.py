"""The client against a real gateway: what it sends, and each way in which that can fail."""

from __future__ import annotations

import functools
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from automl.client import ScoringClient
from automl.deployment import Deployment
from automl.errors import ScoringError, UsageError
from automl.images import encode_png


@pytest.fixture
def client(deployed: Deployment) -> Iterator[ScoringClient]:
    with ScoringClient(deployed.url + "/", deployed.key) as client:
        yield client


@pytest.fixture
def web(colour_images: dict[str, Path]) -> Iterator[str]:
    """A plain web server over the folder of `colour_images`."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    folder = colour_images["rot"].parent
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_paths_bytes_and_addresses(
    client: ScoringClient, colour_images: dict[str, Path], web: str
) -> None:
    red, green, blue = colour_images.values()
    address = f"{web}/{blue.name}"
    results = client.score([str(red), green.read_bytes(), address])
    assert [r["image"] for r in results] == [str(red), "bytes", address]
    assert [r["label"] for r in results] == list(colour_images)
    assert [r["label"] for r in client.score(red)] == ["rot"]
    assert [r["label"] for r in client.score(green.read_bytes())] == ["grün/緑"]
    assert [r["label"] for r in client.score(address)] == ["sky blue"]
    assert client.score([]) == []


def test_top_k(client: ScoringClient, colour_images: dict[str, Path]) -> None:
    (result,) = client.score(colour_images["rot"], top_k=2)
    assert len(result["scores"]) == 2
    assert next(iter(result["scores"])) == "rot"
    with pytest.raises(UsageError, match="found 0"):
        client.score(colour_images["rot"], top_k=0)


def test_logits(client: ScoringClient, colour_images: dict[str, Path]) -> None:
    (result,) = client.score(colour_images["rot"], add_softmax=False)
    assert result["scores"]["rot"] == pytest.approx(250 / 32)
    assert result["probability"] == pytest.approx(1, abs=0.1)


def test_pictures_are_resized_before_they_are_sent(client: ScoringClient, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3000, 3000, 3), dtype=np.uint8)
    large = encode_png(noise)
    whole, whole_text = client.score([large, b"no picture"])
    small, text = client.score([large, b"no picture"], image_resize_dims=[224, 224])
    assert "error" in whole  # more than a request may hold
    assert "error" not in small
    assert text["error"]["code"] == whole_text["error"]["code"] == "bad_image"
    # To the model's own size by the same decoder, the scores are the gateway's.
    picture = encode_png(noise[:300, :200])
    (here,) = client.score(picture, image_resize_dims=(16, 24))
    (there,) = client.score(picture)
    assert here["scores"] == there["scores"]
    for wrong in ([224], [224, 0], [1.5, 2], "22", [10_001, 1]):
        with pytest.raises(UsageError, match="image_resize_dims"):
            client.score(picture, image_resize_dims=wrong)  # type: ignore[arg-type]


def test_many_images_keep_their_order_over_several_requests(
    client: ScoringClient, colour_images: dict[str, Path]
) -> None:
    order = list(np.random.default_rng(0).choice(list(colour_images), 50))
    results = client.score([colour_images[label] for label in order])
    assert [r["label"] for r in results] == order


def test_one_bad_image_does_not_fail_the_others(
    client: ScoringClient, colour_images: dict[str, Path], tmp_path: Path, web: str
) -> None:
    red, _, blue = colour_images.values()
    missing, text, empty = tmp_path / "none.jpg", tmp_path / "text.jpg", tmp_path / "empty.png"
    text.write_text("no image")
    empty.touch()
    cut = blue.read_bytes()[:-40]
    results = client.score(
        [missing, red, text, cut, empty, f"{web}/none.png", blue, tmp_path, "http://[bad/"]
    )
    faults = [result.get("error", {}).get("message", "") for result in results]
    assert [bool(fault) for fault in faults] == [
        True,
        False,
        True,
        True,
        True,
        True,
        False,
        True,
        True,
    ]
    assert f"{missing} cannot be read" in faults[0]
    assert f"found {text} to be none of these" in faults[2]
    assert "cut off" in faults[3]
    assert f"found {empty} empty" in faults[4]
    assert f"{web}/none.png, found the status 404" in faults[5]
    assert {r["error"]["code"] for r in results if "error" in r} == {"bad_image"}
    for fault in filter(None, faults):
        assert fault.startswith("expected ")
        assert "\n" not in fault
    assert [r["label"] for r in results if "error" not in r] == ["rot", "sky blue"]


def test_an_image_too_large_for_a_request_does_not_fail_the_others(
    client: ScoringClient, colour_images: dict[str, Path]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3000, 3000, 3), dtype=np.uint8)
    large, red = client.score([encode_png(noise), colour_images["rot"]])
    assert "found one of" in large["error"]["message"]
    assert red["label"] == "rot"


def test_a_picture_that_is_no_picture_type(client: ScoringClient) -> None:
    with pytest.raises(UsageError, match="found a int"):
        client.score([3])  # type: ignore[list-item]


def test_a_wrong_key_says_so(deployed: Deployment, colour_images: dict[str, Path]) -> None:
    with (
        ScoringClient(deployed.url, "wrong") as client,
        pytest.raises(ScoringError, match=r"expected a key of the service .* does not know"),
    ):
        client.score(colour_images["rot"])


@pytest.mark.parametrize("key", ["", "two words", "schlüssel", "line\n"])
def test_a_text_that_can_be_no_key(key: str) -> None:
    with pytest.raises(UsageError, match="expected a key"):
        ScoringClient("http://127.0.0.1:1", key)


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "ftp://host", "http://", "http://[x"])
def test_a_text_that_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match="expected the address"):
        ScoringClient(url, "key")


def test_a_service_that_is_down_says_what_to_do(colour_images: dict[str, Path]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with (
            ScoringClient(url, "key") as client,
            pytest.raises(ScoringError, match=r"none that answers .*deploy it again"),
        ):
            client.score(colour_images["rot"])


def test_something_else_at_the_address(web: str, colour_images: dict[str, Path]) -> None:
    with (
        ScoringClient(web, "key") as client,
        pytest.raises(ScoringError, match=r"expected a scoring gateway .* status 501"),
    ):
        client.score(colour_images["rot"])
