"""The request parser, by properties: it answers anything with a request or a refusal."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_serving.gateway.errors import GatewayError
from automl_serving.gateway.score_request import ImageProblem, Parameters, ScoreRequest

JSON = "application/json"
MOST = 5

parameters = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {}, optional={"top_k": st.integers(1, 10**30) | st.none(), "add_softmax": st.booleans()}
    ),
)
contents = st.binary(max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(["images", "parameters", "b64", "url", "image_in_base64", "top_k", "x"])
near_misses = st.recursive(
    values | st.just("AAAA"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)


def expected(value: dict[str, Any] | None) -> Parameters:
    value = value or {}
    return Parameters(value.get("top_k"), value.get("add_softmax", True))


@given(st.lists(contents, min_size=1, max_size=MOST), parameters)
def test_an_object_is_read_in_order(images: list[bytes], how: dict[str, Any] | None) -> None:
    body = {"images": [{"b64": base64.b64encode(one).decode()} for one in images]}
    request = ScoreRequest.parse(JSON, json.dumps({**body, "parameters": how}).encode(), MOST)
    assert not request.as_list
    assert [item.content for item in request.items] == images
    assert {item.parameters for item in request.items} == {expected(how)}


@given(st.lists(st.tuples(contents, st.sampled_from("dbe"), parameters), min_size=1, max_size=MOST))
def test_a_list_is_read_in_order(entries: list[tuple[bytes, str, dict[str, Any] | None]]) -> None:
    write = {
        "d": lambda one: base64.b64encode(one).decode(),
        "b": lambda one: str(base64.b64encode(one)),
        "e": lambda one: repr(base64.encodebytes(one)),
    }
    body = [
        {"image_in_base64": write[how](content), "parameters": parameters}
        for content, how, parameters in entries
    ]
    request = ScoreRequest.parse(JSON, json.dumps(body).encode("utf-16"), MOST)
    assert request.as_list
    assert [item.content for item in request.items] == [content for content, _, _ in entries]
    assert [item.parameters for item in request.items] == [expected(how) for _, _, how in entries]


@given(st.lists(contents, min_size=1, max_size=MOST), parameters, st.data())
def test_a_form_is_read_in_order(
    images: list[bytes], how: dict[str, Any] | None, data: st.DataObject
) -> None:
    parts = [(f'name="i{place}"; filename="ä"', image) for place, image in enumerate(images)]
    place = data.draw(st.integers(0, len(parts)))
    parts.insert(place, ('name="parameters"', json.dumps(how).encode()))
    boundary = b"-a-boundary-that-no-content-has-"
    body = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n"
        % (boundary, head.encode(), content)
        for head, content in parts
    )
    kind = f"multipart/form-data; boundary={boundary.decode()}"
    request = ScoreRequest.parse(kind, body + b"--" + boundary + b"--\r\n", MOST)
    assert not request.as_list
    assert [item.content for item in request.items] == images
    assert {item.parameters for item in request.items} == {expected(how)}


@pytest.mark.parametrize(
    "filename", ['filename=""', "filename=a.jpg", "filename*=utf-8''%C3%A4.jpg", 'filename="\xe4"']
)
def test_a_file_in_a_form_may_be_named_in_any_way(filename: str) -> None:
    head = f"Content-Disposition: form-data; name=image; {filename}\r\n\r\n".encode("latin-1")
    request = ScoreRequest.parse(
        "multipart/form-data; boundary=x", b"--x\r\n" + head + b"picture\r\n--x--", MOST
    )
    assert [item.content for item in request.items] == [b"picture"]


@given(near_misses)
def test_any_json_is_a_request_or_refused(value: Any) -> None:
    check(JSON, json.dumps(value).encode())


@given(
    st.sampled_from([JSON, "multipart/form-data; boundary=x", "multipart/form-data", "a/b"]),
    st.binary(max_size=200) | st.text().map(str.encode),
)
def test_any_bytes_are_a_request_or_refused(content_type: str, body: bytes) -> None:
    check(content_type, body)


@given(st.text(st.characters(max_codepoint=255)))
def test_any_content_type_is_taken_or_refused(content_type: str) -> None:
    check(content_type, b"{}")
    check(f"multipart/form-data; {content_type}", b"--x\r\n\r\n\r\n--x--")


@given(st.text() | st.text("AQg=b'\\n\"\n +/-", max_size=12))
def test_any_text_for_an_image_is_bytes_or_a_problem(text: str) -> None:
    check(JSON, json.dumps({"images": [{"b64": text}]}).encode())
    request = ScoreRequest.parse(JSON, json.dumps([{"image_in_base64": text}]).encode(), MOST)
    assert isinstance(request.items[0].content, bytes | ImageProblem)


@pytest.mark.parametrize("text", ["AAA", "AA=A", "A===", "AA-_", "b'AAAA", "b''AAAA'", "AAAA'"])
def test_text_that_is_almost_base64_is_a_problem(text: str) -> None:
    request = ScoreRequest.parse(JSON, json.dumps([{"image_in_base64": text}]).encode(), MOST)
    assert isinstance(request.items[0].content, ImageProblem)


def test_values_that_fill_the_memory_are_never_made() -> None:
    with pytest.raises(GatewayError, match="far more values"):
        ScoreRequest.parse(JSON, b"[" + b"[]," * 10_000_000 + b"[]]", MOST)


def check(content_type: str, body: bytes) -> None:
    refusal = None
    try:
        request = ScoreRequest.parse(content_type, body, MOST)
    except GatewayError as error:
        refusal = error
    if refusal is None:
        assert 1 <= len(request.items) <= MOST
    else:
        assert 400 <= refusal.http_status < 500
        assert re.fullmatch(r"expected [ -~…]+, found [ -~…]+\.", str(refusal))
        assert len(str(refusal)) < 400
