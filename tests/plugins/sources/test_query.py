"""Query files: texts, folders and addresses become one dataset that says where all came from."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import Counter, deque
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from automl import Dataset
from automl.cli.dataset import command
from automl.components import Rejected
from automl.errors import DataError, UsageError
from automl.plugins import plugin_manager
from automl_plugins.sources.query_file import Entry, read_query_file

SOURCES = plugin_manager().image_sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `queries`, beside one with pictures in two depths."""
    for place, colour in (("cups/1.png", 1), ("cups/blue/2.png", 2), ("one.png", 3)):
        path = tmp_path / "imgs" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 6), (colour, 0, 0)).save(path)
    (tmp_path / "queries").mkdir()
    return tmp_path / "queries"


def write(folder: Path, content: object) -> Path:
    path = folder / "cups.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def read(path: Path, **options: str) -> Dataset:
    return Dataset.from_source(path, path.parent / "workspace", options)


def column(dataset: Dataset, name: str) -> list[Any]:
    values: list[Any] = dataset.table.column(name).to_pylist()
    return values


def test_texts_folders_files_and_addresses(web_search: Any, folder: Path):
    address = f"{web_search.url}/pictures/9.png"
    path = write(
        folder,
        {"cup": ["plastic cup", "../imgs/cups", address], "plate": ["plate", "../imgs/one.png"]},
    )
    dataset = read(path, count="3")
    assert dataset.rejected == ()
    assert column(dataset, "label") == ["cup"] * 6 + ["plate"] * 4
    imgs = folder.parent / "queries" / ".." / "imgs"
    assert dataset.paths[3:5] == [str(imgs / "cups/1.png"), str(imgs / "cups/blue/2.png")]
    assert dataset.paths[9] == str(imgs / "one.png")
    origins = column(dataset, "origin")
    assert origins[:3] == web_search.addresses("plastic cup")[:3]
    assert origins[3:7] == ["", "", address, web_search.addresses("plate")[0]]
    queries = ["plastic cup"] * 3 + ["../imgs/cups"] * 2 + [address] + ["plate"] * 3
    assert column(dataset, "query") == [*queries, "../imgs/one.png"]
    found = ["openverse"] * 3 + [None] * 3 + ["openverse"] * 3 + [None]
    assert column(dataset, "provider") == found
    for name, value in {
        "license": "cc0 1.0",
        "license_url": "https://creativecommons.org/publicdomain/zero/1.0/",
        "author": "Tim Sullivan",
        "source": "https://stocksnap.io/photo/XNVBVXO3B7",
    }.items():
        assert column(dataset, name) == [value if each else None for each in found]
    assert {image.size for image in dataset.images} == {(4, 3), (6, 6)}


def test_nothing_is_asked_for_twice(web_search: Any, folder: Path):
    path = write(folder, {"cup": ["cup"], "plate": ["a plate"]})
    source = SOURCES["query"].configured({"count": "25"}, lambda name: "")
    rows = source.read(str(path), folder / "workspace" / "sources")
    assert len(list(itertools.islice(rows, 3))) == 3
    rows.close()  # as an interruption does
    assert len(web_search.asked_for("/pictures/")) < 50
    dataset = read(path, count="25")
    assert len(dataset) == 50
    assert set(Counter(web_search.asked_for("/pictures/")).values()) == {1}
    web_search.asked.clear()
    assert read(path, count="25").table.equals(dataset.table)
    assert web_search.asked == []


def test_the_same_picture_is_taken_once(web_search: Any, folder: Path):
    web_search.pictures["/pictures/3001.png"] = ((folder / "../imgs/one.png").read_bytes(), "")
    path = write(folder, {"cup": ["../imgs/one.png", "cup"], "mug": ["cup", "../imgs/cups"]})
    dataset = read(path, count="4")
    assert column(dataset, "label") == ["cup"] * 4 + ["mug"] * 2
    assert dataset.rejected == (
        (
            "expected each picture once, found 1 in class 'cup', entry 'cup' that had come before; "
            "they are left out."
        ),
        (
            "expected each picture once, found 4 in class 'mug', entry 'cup' that had come before; "
            "they are left out."
        ),
    )


def test_what_cannot_be_had_is_named_and_the_rest_goes_on(web_search: Any, folder: Path):
    web_search.pictures["/pictures/3001.png"] = (b"<html>Sorry</html>", "text/html")
    web_search.elsewhere[2] = "http://127.0.0.2/a.png"
    web_search.refusals["/pictures/3003"] = deque([(429, "0"), (500, "0")])
    missing = f"{web_search.url}/missing.png"
    (folder / "empty").mkdir()
    path = write(folder, {"cup": ["cup", "nothing", missing, "../none", "./empty"]})
    dataset = read(path, count="4")
    assert column(dataset, "origin") == [
        f"{web_search.url}/pictures/3000.png",
        f"{web_search.url}/pictures/3003.png",
    ]
    assert [reason.replace(str(folder), "…") for reason in dataset.rejected] == [
        (
            f"expected a picture at {web_search.url}/pictures/3001.png (class 'cup', entry 'cup'), "
            "found no picture that can be read (text/html); check the address."
        ),
        (
            "expected a picture at http://127.0.0.2/a.png (class 'cup', entry 'cup'), found that "
            "it leads to a network that is not public; check the address."
        ),
        (
            "expected openverse to find pictures, found none (class 'cup', entry 'nothing'); put "
            "it in other words."
        ),
        (
            f"expected a picture at {missing} (class 'cup', entry '{missing}'), found the status "
            "404; check the address."
        ),
        (
            "expected a folder or file at …/../none, found nothing (class 'cup', entry '../none'); "
            "correct it."
        ),
        (
            "expected a folder or file at …/./empty, found no files in it (class 'cup', entry "
            "'./empty'); correct it."
        ),
    ]


def test_what_a_provider_says_may_be_no_text(web_search: Any, folder: Path):
    results = [
        {"url": f"{web_search.url}/pictures/1.png", "creator": "Zo\ud800", "license": None},
        {"url": f"{web_search.url}/missing.png\udfff", "creator": ["Zoe"]},
    ]
    web_search.answers.append(json.dumps({"results": results, "page_count": 1}).encode())
    dataset = read(write(folder, {"cup": ["cup"]}))
    assert column(dataset, "author") == ["Zo?"]
    (reason,) = dataset.rejected
    assert "missing.png?" in reason
    dataset.to_parquet(folder / "index")
    assert Dataset.from_parquet(folder / "index").rejected == dataset.rejected


def test_a_provider_that_fails_half_way_keeps_what_it_has_found(web_search: Any, folder: Path):
    web_search.refusals["/v1/images/?q=cup&page=2"] = deque([(429, "7200")])
    path = write(folder, {"cup": ["cup"], "plate": ["../imgs/cups"]})
    dataset = read(path, count="40")
    assert len(dataset) == 20 + 2
    (reason,) = dataset.rejected
    assert reason == (
        "expected Openverse to answer, found the status 429 and the wish to wait 7,200 seconds; "
        "try again later (class 'cup', entry 'cup')."
    )
    assert len(read(path, count="40")) == 40 + 2
    assert set(Counter(web_search.asked_for("/pictures/")).values()) == {1}


@pytest.mark.parametrize("where", ["environment", "settings"])
def test_the_key_comes_from_the_environment_or_the_settings(
    web_search: Any,
    flickr_key: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
):
    workspace = folder / "workspace"
    workspace.mkdir()
    settings = {"AUTOML_FLICKR_KEY": "another" if where == "environment" else flickr_key}
    (workspace / "settings.json").write_text(json.dumps(settings))
    if where == "environment":
        monkeypatch.setenv("AUTOML_FLICKR_KEY", flickr_key)
    path = write(folder, {"cup": ["cup"], "plate": ["plate"]})
    arguments = ["create", "cups", str(path), "--set", "provider=flickr", "--set", "count=2"]
    done = CliRunner().invoke(command, [*arguments, "--workspace", str(workspace), "--json"])
    made = json.loads(done.stdout)
    assert (made["images"], made["rejected"]) == (4, [])
    kept = [each for each in workspace.rglob("*") if each.is_file() and each.parent != workspace]
    assert len(kept) > 4
    assert not [each for each in kept if flickr_key.encode() in each.read_bytes()]


def test_without_a_key_nothing_is_asked(web_search: Any, folder: Path):
    path = write(folder, {"cup": [f"{web_search.url}/pictures/1.png", "cup"]})
    sentence = r"a key for flickr, found none; set AUTOML_FLICKR_KEY, .*settings\.json"
    with pytest.raises(UsageError, match=sentence):
        read(path, provider="flickr")
    assert web_search.asked == []
    (folder / "workspace").mkdir()
    (folder / "workspace" / "settings.json").write_text('{"AUTOML_FLICKR_KEY": "wrong"}')
    with pytest.raises(UsageError, match="a key that Flickr knows"):
        read(path, provider="flickr")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"provider": "bing"}, r"a search provider that is installed \(openverse, flickr\)"),
        ({"count": "0"}, "a count from 1 to 10,000 pictures a query, found '0'"),
        ({"count": "many"}, "found 'many'"),
        ({"counts": "1"}, "the options provider and count for a query file, found counts"),
    ],
    ids=str,
)
def test_options_that_are_none(folder: Path, options: dict[str, str], sentence: str):
    path = write(folder, {"cup": ["cup"]})
    with pytest.raises(UsageError, match=sentence):
        read(path, **options)


def test_other_sources_have_no_options(folder: Path):
    with pytest.raises(UsageError, match="no options for the image source folder, found count"):
        Dataset.from_source(folder / "../imgs", folder / "workspace", {"count": "1"})
    workspace = str(folder / "workspace")
    CliRunner().invoke(
        command, ["create", "one", str(folder / "../imgs"), "--workspace", workspace]
    )
    with pytest.raises(UsageError, match="for one, which is a dataset already, found count"):
        Dataset.from_source("one", workspace, {"count": "1"})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no JSON from line 1, column 1 on"),
        (b'{"cup": ["a"],\n]', "no JSON from line 2, column 1 on"),
        (b'["cup"]', r"JSON that is no object \(list\)"),
        (b"{}", "no class in it"),
        (b'{"caf\xe9": ["a"]}', "no JSON in UTF-8"),
        (b"[" * 100_000, "no JSON"),
        (None, r"that it cannot be read \(No such file or directory\)"),
    ],
)
def test_what_is_no_query_file(tmp_path: Path, content: bytes | None, sentence: str):
    path = tmp_path / "cups.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=f"^expected a query file, as .* at .*, found {sentence}"):
        list(SOURCES["query"].read(str(path), tmp_path / "sources"))


def test_entries_that_make_no_sense_are_named(folder: Path):
    path = folder / "cups.json"
    path.write_text(
        '{"cup": ["../imgs/one.png", 7, " ", "ftp://host/a.png", "a\\u0000/b", "\\ud800"],'
        '"": ["x"], "\\ud800": ["x"], "mug": "x", "jug": [], "pot": {"a": 1},'
        '"cup": ["../imgs/cups"]}'
    )
    dataset = read(path)
    assert dataset.labels == ("cup",)
    assert len(dataset) == 3  # a class may stand twice
    assert [reason.replace(str(path), "cups.json") for reason in dataset.rejected] == [
        (
            "expected a text, a folder or an address in cups.json, class 'cup', entry 2, found "
            "something else; correct it."
        ),
        (
            "expected a text, a folder or an address in cups.json, class 'cup', entry 3, found an "
            "empty text; correct it."
        ),
        (
            "expected an address that begins with https:// or http:// in cups.json, class 'cup', "
            "entry 4, found 'ftp://host/a.png'; use another."
        ),
        "expected text in UTF-8 in cups.json, class 'cup', entry 5, found other bytes; correct it.",
        "expected text in UTF-8 in cups.json, class 'cup', entry 6, found other bytes; correct it.",
        "expected the name of a class in cups.json, class '', found none; correct it.",
        "expected the name of a class in cups.json, class '\\ud800', found none; correct it.",
        (
            "expected a list of texts, folders and addresses in cups.json, class 'mug', found "
            "something else; correct it."
        ),
        (
            "expected a list of texts, folders and addresses in cups.json, class 'jug', found an "
            "empty one; correct it."
        ),
        (
            "expected a list of texts, folders and addresses in cups.json, class 'pot', found "
            "something else; correct it."
        ),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_anything_is_entries_or_one_sentence(tmp_path: Path, content: bytes):
    path = tmp_path / "cups.json"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        found = list(read_query_file(path))
        assert found
        for each in found:
            if isinstance(each, Rejected):
                assert each.reason.startswith("expected ")
                assert f"{path}, class " in each.reason
                each.reason.encode()
            else:
                assert each.label.strip()
                assert each.text == each.text.strip() != ""


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip),
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0:")).filter(
                str.strip
            ),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_all_entries_that_make_sense_come_in_order(tmp_path: Path, content: dict[str, list[str]]):
    path = tmp_path / "cups.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    wanted = [Entry(label, text.strip()) for label, texts in content.items() for text in texts]
    assert list(read_query_file(path)) == wanted
