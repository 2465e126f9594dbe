"""Scoring over the wire: every form, and what is answered instead of scores."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from automl import images
from automl.model import Model

LABELS = ["rot", "grün/緑", "sky blue"]


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def one(client: httpx.Client, content: bytes) -> Any:
    """Scores one image and returns its result."""
    answer = client.post("/v1/score", json={"images": [{"b64": b64(content)}]})
    assert answer.status_code == 200, answer.text
    (result,) = answer.json()["results"]
    return result


def photo(suffix: str, seed: int = 0, size: tuple[int, int] = (90, 70)) -> bytes:
    """A picture with detail at every scale, as JPEGs and resizing like it least."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    picture.save(stream, suffix)
    return stream.getvalue()


@pytest.fixture(scope="module")
def expected(colour_model: Model) -> Callable[[bytes], Mapping[str, Any]]:
    """Scores an image with the SavedModel called directly, on the decoder's pixels."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(colour_model.path))

    def score(content: bytes) -> Mapping[str, Any]:
        pixels = images.decode(content, (16, 24))
        outputs = loaded.signatures["serving_default"](images=tf.constant(pixels[None]))
        return {name: tensor.numpy()[0] for name, tensor in outputs.items()}

    return score


@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_scores_are_those_of_the_saved_model(
    client: httpx.Client, expected: Callable[[bytes], Mapping[str, Any]], suffix: str
) -> None:
    content = photo(suffix)
    result = one(client, content)
    probabilities = expected(content)["probabilities"]
    found = [result["scores"][label] for label in LABELS]
    np.testing.assert_allclose(found, probabilities, rtol=0, atol=1e-6)
    assert result["label"] == LABELS[int(np.argmax(probabilities))]
    assert result["probability"] == max(found)


def test_each_class_is_told(client: httpx.Client, colour_images: Mapping[str, Path]) -> None:
    answer = client.post(
        "/v1/score",
        json={"images": [{"b64": b64(path.read_bytes())} for path in colour_images.values()]},
    ).json()
    assert (answer["model"], answer["version"]) == ("colours", 1)
    assert [result["label"] for result in answer["results"]] == list(colour_images)


def test_a_list_is_answered_by_a_list(
    client: httpx.Client, expected: Callable[[bytes], Mapping[str, Any]]
) -> None:
    first, second, third = photo("JPEG", 1), photo("PNG", 2), photo("PNG", 3)
    answer = client.post(
        "/v1/score",
        json=[
            {"image_in_base64": str(base64.b64encode(first))},
            {"image_in_base64": b64(second), "parameters": {"add_softmax": False, "top_k": None}},
            {"image_in_base64": str(base64.encodebytes(third)), "parameters": {"top_k": 1}},
        ],
    ).json()
    assert isinstance(answer, list)
    assert len(answer) == 3
    assert sum(answer[0]["scores"].values()) == pytest.approx(1)
    logits = expected(second)["logits"]
    found = [answer[1]["scores"][label] for label in LABELS]
    np.testing.assert_allclose(found, logits, rtol=1e-6)
    assert answer[1]["probability"] == pytest.approx(expected(second)["probabilities"].max())
    assert len(answer[2]["scores"]) == 1


def test_files_are_scored(client: httpx.Client) -> None:
    content = photo("JPEG", 4)
    answer = client.post(
        "/v1/score",
        files=[
            ("image", ("ä b.jpg", content)),
            ("image", ("x", b"no image")),
            ("z", ("c", content)),
        ],
        data={"parameters": json.dumps({"top_k": 2})},
    )
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert results[0] == results[2] == {**one(client, content), "scores": results[0]["scores"]}
    assert len(results[0]["scores"]) == 2
    assert results[1]["error"]["code"] == "bad_image"


def test_requests_at_the_same_time_do_not_mix(client: httpx.Client) -> None:
    def logits(red: int) -> float:
        stream = io.BytesIO()
        Image.new("RGB", (30, 20), (red, 0, 0)).save(stream, "PNG")
        entry = {"image_in_base64": b64(stream.getvalue()), "parameters": {"add_softmax": False}}
        (result,) = client.post("/v1/score", json=[entry]).json()
        return float(result["scores"]["rot"])

    values = list(range(0, 256, 6))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(logits, values)) == [value / 32 for value in values]


def test_scores_come_best_first(client: httpx.Client) -> None:
    result = one(client, photo("PNG", 5))
    values = list(result["scores"].values())
    assert values == sorted(values, reverse=True)
    assert next(iter(result["scores"])) == result["label"]


def test_a_bad_image_leaves_the_others_alone(client: httpx.Client) -> None:
    good = photo("JPEG", 6)
    bad = {
        "no image": ("bad_image", {"b64": b64(b"hello")}),
        "empty": ("bad_image", {"b64": ""}),
        "cut off": ("bad_image", {"b64": b64(good[: len(good) // 2])}),
        "no base64": ("bad_base64", {"b64": "ä not base64"}),
        "a lone surrogate": ("bad_base64", {"b64": "\ud800"}),
        "an address": ("url_not_fetched", {"url": "https://example.org/a.jpg"}),
        "a bomb": ("bad_image", {"b64": b64(bomb(20_000, 20_000))}),
    }
    body = json.dumps({"images": [*(image for _, image in bad.values()), {"b64": b64(good)}]})
    answer = client.post(
        "/v1/score", content=body, headers={"content-type": "application/json; charset=utf-8"}
    )
    assert answer.status_code == 200, answer.text
    *failed, scored = answer.json()["results"]
    assert scored == one(client, good)
    for (name, (code, _)), result in zip(bad.items(), failed, strict=True):
        assert set(result) == {"error"}, name
        assert result["error"]["code"] == code, name
        assert is_one_sentence(result["error"]["message"]), name


def test_a_bomb_is_refused_by_its_header(client: httpx.Client) -> None:
    content = bomb(20_000, 20_000)
    assert len(content) < 2_000_000
    message = one(client, content)["error"]["message"]
    assert "pixels" in message
    # Within Pillow's own limit, above the service's.
    assert "50,000,000 pixels" in one(client, bomb(10_000, 8_000))["error"]["message"]


IMAGE = {"b64": "AAAA"}
REFUSED: dict[str, tuple[int, str, Any]] = {
    "no JSON": (400, "bad_request", b"{"),
    "nothing": (400, "bad_request", b""),
    "not UTF-8": (400, "bad_request", b'{"images": ["\xff"]}'),
    "deep nesting": (400, "bad_request", b"[" * 4_000 + b"]" * 4_000),
    "deeper nesting": (413, "too_many_images", b'{"images":' * 200_000),
    "a huge number": (400, "bad_request", b"1" * 5_000),
    "a number": (400, "bad_request", 5),
    "null": (400, "bad_request", None),
    "no images": (400, "bad_request", {}),
    "images of the wrong type": (400, "bad_request", {"images": {"b64": "AAAA"}}),
    "an empty list of images": (400, "bad_request", {"images": []}),
    "an empty list": (400, "bad_request", []),
    "an image of the wrong type": (400, "bad_request", {"images": ["AAAA"]}),
    "an image with two sources": (400, "bad_request", {"images": [{"b64": "", "url": ""}]}),
    "an image of another kind": (400, "bad_request", {"images": [{"path": "/etc/passwd"}]}),
    "a b64 of the wrong type": (400, "bad_request", {"images": [{"b64": 5}]}),
    "another key": (400, "bad_request", {"images": [IMAGE], "top_k": 1}),
    "another parameter": (400, "bad_request", {"images": [IMAGE], "parameters": {"topk": 1}}),
    "parameters as a list": (400, "bad_request", {"images": [IMAGE], "parameters": [1]}),
    "top_k of 0": (400, "bad_request", {"images": [IMAGE], "parameters": {"top_k": 0}}),
    "top_k of true": (400, "bad_request", {"images": [IMAGE], "parameters": {"top_k": True}}),
    "top_k of 1.5": (400, "bad_request", {"images": [IMAGE], "parameters": {"top_k": 1.5}}),
    "add_softmax of 1": (400, "bad_request", {"images": [IMAGE], "parameters": {"add_softmax": 1}}),
    "a list of texts": (400, "bad_request", ["AAAA"]),
    "a list entry of the wrong type": (400, "bad_request", [{"image_in_base64": None}]),
    "a list entry without image": (400, "bad_request", [{"parameters": {}}]),
    "a list entry with another key": (400, "bad_request", [{"image_in_base64": "", "x\ud800": 1}]),
    "too many images": (413, "too_many_images", {"images": [IMAGE] * 9}),
    "too many in a list": (413, "too_many_images", [{"image_in_base64": ""}] * 9),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_scoring_request_is_refused(client: httpx.Client, name: str) -> None:
    status, code, content = REFUSED[name]
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = client.post("/v1/score", content=body, headers={"content-type": "application/json"})
    check_error(answer, status, code)


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("text/plain", b"hello", 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", b"a=b", 415, "unsupported_media_type"),
        ("", b"{}", 415, "unsupported_media_type"),
        ("multipart/form-data", b"--x--", 400, "bad_request"),
        ("multipart/form-data; boundary=x", b"", 400, "bad_request"),
        ("multipart/form-data; boundary=x", b"hello", 400, "bad_request"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nabc", 400, "bad_request"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 400, "bad_request"),
    ],
)
def test_other_bodies_are_refused(
    client: httpx.Client, content_type: str, body: bytes, status: int, code: str
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    check_error(client.post("/v1/score", content=body, headers=headers), status, code)


@pytest.mark.parametrize(
    "data",
    [{"top_k": "1"}, {"parameters": "{"}, {"parameters": "[]"}, {"parameters": ["{}", "{}"]}],
)
def test_a_form_with_other_fields_is_refused(client: httpx.Client, data: Any) -> None:
    answer = client.post("/v1/score", data=data, files=[("a", ("a.png", photo("PNG")))])
    check_error(answer, 400, "bad_request")


def test_a_form_with_too_many_files_is_refused(client: httpx.Client) -> None:
    files = [("a", (f"{place}.png", b"x")) for place in range(9)]
    check_error(client.post("/v1/score", files=files), 413, "too_many_images")


def test_a_body_that_announces_too_much_is_refused(client: httpx.Client) -> None:
    check_error(client.post("/v1/score", content=b"x" * 3_000_001), 413, "body_too_large")


def test_a_body_that_streams_too_much_is_refused(client: httpx.Client) -> None:
    def chunks() -> Any:
        for _ in range(100):
            yield b" " * 100_000

    answer = client.post(
        "/v1/score", content=chunks(), headers={"content-type": "application/json"}
    )
    assert "content-length" not in answer.request.headers
    check_error(answer, 413, "body_too_large")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", "Basic YTpi", "a-key-of-the-tests", "Bearer ä\udcff"],
)
def test_without_its_key_nobody_scores(client: httpx.Client, authorization: str) -> None:
    header = authorization.encode("utf-8", "surrogateescape")
    answer = client.post(
        "/v1/score", json={"images": [IMAGE]}, headers=[(b"authorization", header)]
    )
    check_error(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_scheme_is_written_as_one_likes(client: httpx.Client) -> None:
    key = client.headers["authorization"].split()[1]
    answer = client.post(
        "/v1/score", json={"images": [IMAGE]}, headers={"authorization": f"bearer  {key}"}
    )
    assert answer.status_code == 200


def test_a_key_is_asked_for_before_the_body_is_read(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/score", content=b"x" * 4_000_000, headers={"authorization": "Bearer wrong"}
    )
    check_error(answer, 401, "unauthorized")


@pytest.mark.parametrize("path", ["/nothing", "/v1/score/", "/v1/models/", "/%2e"])
def test_other_paths_are_not_found(client: httpx.Client, path: str) -> None:
    check_error(client.post(path, json={}), 404, "not_found")


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/score"), ("DELETE", "/metrics")])
def test_other_methods_are_not_allowed(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    check_error(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


def test_an_error_ends_no_connection(client: httpx.Client) -> None:
    for _ in range(3):
        assert client.post("/v1/score", json={}).status_code == 400
        assert client.get("/healthz").status_code == 200


def check_error(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    problem = answer.json()["error"]
    assert problem["code"] == code
    assert is_one_sentence(problem["message"])


def is_one_sentence(message: str) -> bool:
    """Whether a message says what was expected and found, and shows nothing from inside."""
    return (
        message.startswith("expected ")
        and ", found" in message
        and message.endswith(".")
        and "\n" not in message
        and not any(word in message for word in ("Traceback", "0x", ".py", "Error"))
    )


def bomb(width: int, height: int) -> bytes:
    """A PNG of one colour: hundreds of megapixels in a few hundred kilobytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 1) * height), 1)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
