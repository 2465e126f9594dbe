"""Openverse and Flickr, asked at a server that answers as they document."""

from __future__ import annotations

import itertools
import json
from collections import deque
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from automl import testing
from automl.components import FoundImage
from automl.errors import DownloadError, UsageError
from automl.plugins import plugin_manager

PROVIDERS = plugin_manager().search_providers


def test_openverse_keeps_the_contract(web_search: Any):
    testing.check_search_provider(PROVIDERS["openverse"], "cup")


def test_flickr_keeps_the_contract(web_search: Any, flickr_key: str):
    web_search.total = 600
    testing.check_search_provider(PROVIDERS["flickr"], "cup", 550, flickr_key)


def test_what_openverse_says_of_a_picture(web_search: Any):
    (image,) = PROVIDERS["openverse"].search("cup", 1)
    assert image == FoundImage(
        f"{web_search.url}/pictures/3000.png",
        "cc0 1.0",
        "https://creativecommons.org/publicdomain/zero/1.0/",
        "Tim Sullivan",
        "https://stocksnap.io/photo/XNVBVXO3B7",
    )


def test_what_flickr_says_of_a_picture(web_search: Any, flickr_key: str):
    first, second = PROVIDERS["flickr"].search("cup", 2, flickr_key)
    assert first == FoundImage(
        f"{web_search.url}/pictures/3000.png",
        "CC BY 2.0",
        "https://creativecommons.org/licenses/by/2.0/",
        "Bees",
        "https://www.flickr.com/photos/47058503995@N01/2636",
    )
    assert second.url.endswith("3001.png")


@pytest.mark.parametrize(("name", "pages"), [("openverse", 3), ("flickr", 1)])
def test_pages_are_turned_as_far_as_needed(web_search: Any, flickr_key: str, name: str, pages: int):
    found = list(PROVIDERS[name].search("a cup & more", 1000, flickr_key))
    assert len(found) == 45 - (name == "flickr")  # one photo has no address
    assert len(web_search.asked) == pages
    list(itertools.islice(PROVIDERS[name].search("a cup & more", 1000, flickr_key), 5))
    assert len(web_search.asked) == pages + 1
    asked = parse_qs(urlsplit(web_search.asked[0]).query)
    assert asked["q" if name == "openverse" else "text"] == ["a cup & more"]


def test_flickr_is_asked_for_no_more_than_it_shows(web_search: Any, flickr_key: str):
    web_search.total = 5000
    assert len(list(PROVIDERS["flickr"].search("cup", 10_000, flickr_key))) <= 4000
    assert len(web_search.asked) == 16


def test_a_key_that_flickr_does_not_know(web_search: Any):
    with pytest.raises(UsageError, match="a key that Flickr knows in AUTOML_FLICKR_KEY") as caught:
        list(PROVIDERS["flickr"].search("cup", 1, "secret"))
    assert "secret" not in str(caught.value)


def test_a_provider_that_wants_to_be_left_alone_for_a_moment_is(web_search: Any):
    web_search.refusals["/v1/"] = deque([(429, "0"), (503, "1")])
    assert len(list(PROVIDERS["openverse"].search("cup", 20))) == 20
    assert len(web_search.asked) == 3


def test_a_provider_that_wants_to_be_left_alone_for_long(web_search: Any, flickr_key: str):
    web_search.refusals["/services/"] = deque([(429, "3600")])
    sentence = "found the status 429 and the wish to wait 3,600 seconds; try again later"
    with pytest.raises(DownloadError, match=sentence) as caught:
        list(PROVIDERS["flickr"].search("cup", 20, flickr_key))
    assert flickr_key not in str(caught.value)
    assert len(web_search.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"\xff", b"[" * 5000, b"[]", b"null"],
    ids=lambda answer: answer[:6].decode("latin-1"),
)
def test_an_answer_that_is_no_object(web_search: Any, answer: bytes):
    web_search.answers.append(answer)
    with pytest.raises(DownloadError, match=r"expected Openverse to answer, found (no )?JSON"):
        list(PROVIDERS["openverse"].search("cup", 1))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"results": 7},
        {"results": [1, None, {"url": 3}, {"url": "ftp://a"}], "page_count": "x"},
    ],
    ids=str,
)
def test_an_object_of_openverse_without_pictures(web_search: Any, answer: Any):
    web_search.answers.append(json.dumps(answer).encode())
    assert list(PROVIDERS["openverse"].search("cup", 1)) == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({}, "expected photos of Flickr, found something else"),
        (
            {"stat": "fail", "code": 105, "message": "Service currently unavailable"},
            "found Service currently unavailable; try again later",
        ),
    ],
    ids=["empty", "fail"],
)
def test_flickr_says_why_not(web_search: Any, flickr_key: str, answer: Any, sentence: str):
    web_search.answers.append(json.dumps(answer).encode())
    with pytest.raises(DownloadError, match=sentence):
        list(PROVIDERS["flickr"].search("cup", 1, flickr_key))
