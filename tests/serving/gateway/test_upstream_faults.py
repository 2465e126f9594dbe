"""Model servers that misbehave, each a real server on a socket, behind a real gateway."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse

from automl import images
from automl_serving import tensors
from automl_serving.gateway.stubs import PredictResponse, SignatureDefMap

FILES = {"image": ("a.png", images.encode_png(np.zeros((4, 4, 3), np.uint8)))}


class Misbehaving:
    """A gRPC server whose every method answers what `behave` returns or raises."""

    def __init__(self) -> None:
        self.calls = 0
        self.behave: Callable[[grpc.ServicerContext], bytes] = lambda context: scores()
        server = grpc.server(ThreadPoolExecutor(8))
        server.add_generic_rpc_handlers([self])
        self.port = server.add_insecure_port("127.0.0.1:0")
        self.server = server
        server.start()

    def service(self, call: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self.answer)

    def answer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.calls += 1
        return self.behave(context)


def scores(**changes: Any) -> bytes:
    """Returns a `PredictResponse`, right but for the changes."""
    outputs = {name: np.full((1, 3), 1 / 3, np.float32) for name in ("probabilities", "logits")}
    response = PredictResponse()
    for name, array in {**outputs, **changes}.items():
        if array is not None:
            tensors.to_proto(np.asarray(array), response.outputs[name])
    return bytes(response.SerializeToString())


def refuse(code: grpc.StatusCode) -> Callable[[grpc.ServicerContext], bytes]:
    def behave(context: grpc.ServicerContext) -> bytes:
        context.abort(code, "a secret of the inside")
        raise AssertionError("abort raises")

    return behave


@pytest.fixture(scope="module")
def upstream() -> Iterator[Misbehaving]:
    one = Misbehaving()
    yield one
    one.server.stop(None)


@pytest.fixture(scope="module")
def behind(
    start_gateway: Callable[..., Any],
    connect_to: Callable[[Any], httpx.Client],
    upstream: Misbehaving,
) -> Iterator[httpx.Client]:
    with connect_to(start_gateway(upstream.port, "--timeout=1")) as client:
        yield client


@pytest.fixture(autouse=True)
def well(upstream: Misbehaving, behind: httpx.Client) -> None:
    """Each test begins with a model server that is believed to be well."""
    upstream.behave = lambda context: scores()
    until(lambda: behind.post("/v1/score", files=FILES).status_code == 200)
    upstream.calls = 0


BAD: dict[str, bytes] = {
    "nothing": b"",
    "no message": b"\xff" * 50,
    "no logits": scores(logits=None),
    "another shape": scores(logits=np.zeros((1, 4), np.float32)),
    "more images": scores(probabilities=np.zeros((2, 3), np.float32)),
    "whole numbers": scores(probabilities=np.zeros((1, 3), np.int32)),
    "bytes": scores(probabilities=np.array([[b"a", b"b", b"c"]], object)),
    "no numbers": scores(probabilities=np.full((1, 3), np.nan, np.float32)),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_is_none(upstream: Misbehaving, behind: httpx.Client, name: str) -> None:
    upstream.behave = lambda context: BAD[name]
    check(behind.post("/v1/score", files=FILES), 502, "upstream_failed")


def test_nothing_but_a_message_makes_it_ready(upstream: Misbehaving, behind: httpx.Client) -> None:
    upstream.behave = lambda context: BAD["no message"]
    check(behind.get("/readyz"), 503, "unavailable")


def test_signatures_that_are_none(upstream: Misbehaving, behind: httpx.Client) -> None:
    told = GetModelMetadataResponse()
    told.metadata["signature_def"].Pack(SignatureDefMap())
    told.metadata["signature_def"].value = BAD["no message"]
    upstream.behave = lambda context: bytes(told.SerializeToString())
    answer = behind.post("/v1/models/colours:predict", json={"instances": [1]})
    check(answer, 502, "upstream_failed")


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        (grpc.StatusCode.INTERNAL, 502, "upstream_failed"),
        (grpc.StatusCode.INVALID_ARGUMENT, 502, "upstream_failed"),
        (grpc.StatusCode.NOT_FOUND, 503, "unavailable"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 503, "unavailable"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504, "deadline_exceeded"),
    ],
)
def test_a_status_is_told_in_our_words_and_not_asked_again(
    upstream: Misbehaving, behind: httpx.Client, code: grpc.StatusCode, status: int, told: str
) -> None:
    upstream.behave = refuse(code)
    check(behind.post("/v1/score", files=FILES), status, told)
    assert upstream.calls == 1


def test_a_slow_model_server_is_told_the_time_and_given_up(
    upstream: Misbehaving, behind: httpx.Client
) -> None:
    told: list[float] = []

    def slowly(context: grpc.ServicerContext) -> bytes:
        told.append(context.time_remaining())
        time.sleep(1.5)
        return scores()

    upstream.behave = slowly
    check(behind.post("/v1/score", files=FILES), 504, "deadline_exceeded")
    assert len(told) == 1
    # gRPC rounds what it sends up, by a hundredth.
    assert 0 < told[0] < 1.05


def test_a_call_that_was_not_delivered_is_made_again(
    upstream: Misbehaving, behind: httpx.Client
) -> None:
    def once(context: grpc.ServicerContext) -> bytes:
        if upstream.calls == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "")
        return scores()

    upstream.behave = once
    assert behind.post("/v1/score", files=FILES).status_code == 200
    assert upstream.calls == 2
    assert metric(behind, "automl_gateway_upstream_retries_total") >= 1


def test_a_model_server_that_is_down_is_left_alone(
    upstream: Misbehaving, behind: httpx.Client
) -> None:
    before = metric(behind, "automl_gateway_upstream_retries_total")
    upstream.behave = refuse(grpc.StatusCode.UNAVAILABLE)
    for _ in range(30):
        answer = behind.post("/v1/score", files=FILES)
        check(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
    # Five in a row, then at most one a second; far from every call is made twice.
    assert upstream.calls < 20
    assert metric(behind, "automl_gateway_upstream_refusing") == 1
    assert metric(behind, "automl_gateway_upstream_retries_total") - before <= 5
    upstream.behave = lambda context: scores()
    until(lambda: behind.post("/v1/score", files=FILES).status_code == 200)
    assert metric(behind, "automl_gateway_upstream_refusing") == 0


class Rude(socketserver.BaseRequestHandler):
    """Answers a connection by what no model server says."""

    said = b""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            if self.said:
                self.request.recv(1000)
                self.request.sendall(self.said)
            # Unread bytes and a linger of 0 make the kernel send a reset.
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.request.close()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n\r\nhello", bytes(range(256)) * 40])
def test_a_port_of_something_else(
    start_gateway: Callable[..., Any], connect_to: Callable[[Any], httpx.Client], said: bytes
) -> None:
    handler = type("Own", (Rude,), {"said": said})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        gateway = start_gateway(server.server_address[1], "--timeout=2")
        with connect_to(gateway) as client:
            for _ in range(3):
                check(client.post("/v1/score", files=FILES), 503, "unavailable")
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").status_code == 200
        assert gateway.stop() == 0
        server.shutdown()
        thread.join()


def check(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert "secret" not in answer.text


def metric(client: httpx.Client, name: str) -> float:
    found = re.search(rf'^{name}{{version="1"}} (\S+)$', client.get("/metrics").text, re.MULTILINE)
    assert found
    return float(found[1])


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
