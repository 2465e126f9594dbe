"""CSV, JSONL and Parquet: good rows go on, malformed ones are named."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from automl import Dataset
from automl.downloads.environment import NETWORKS
from automl.errors import DataError, UsageError

ROWS = [
    {"path": "a.png", "label": "cat", "split": "train", "id": "first", "whose": "Ann"},
    {"path": "b.png", "label": "dog", "split": "Validation", "id": "", "whose": "Bob"},
    {"path": "a.png", "label": "7", "split": "", "id": "third", "whose": ""},
]


def write(path: Path, rows: list[dict[str, str]] = ROWS) -> Path:
    if path.suffix == ".csv":
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    elif path.suffix == ".tsv":
        path.write_text(
            "\n".join("\t".join(row) for row in [list(rows[0]), *map(dict.values, rows)])
        )
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.parquet"])
def test_what_the_columns_mean(tmp_path: Path, name: str):
    for file in ("a.png", "b.png"):
        Image.new("RGB", (5, 4)).save(tmp_path / file)
    dataset = Dataset.from_source(write(tmp_path / name))
    assert dataset.labels == ("7", "cat", "dog")
    assert dataset.paths == [str(tmp_path / file) for file in ("a.png", "b.png", "a.png")]
    assert [image.name for image in dataset.images] == ["first", "b.png", "third"]
    assert dataset.images[0].size == (5, 4)
    assert dataset.table.column("split").to_pylist() == ["train", "val", None]
    assert dataset.table.column("whose").to_pylist() == ["Ann", "Bob", None]
    assert dataset.rejected == ()


def test_a_malformed_row_is_named_and_the_others_go_on(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_bytes(
        b"\xef\xbb\xbfpath,label,split\n"
        b'"with, comma.png",cat,\n'
        b"few.png\n"
        b",dog,train\n"
        b"x.png,  ,train\n"
        b"x.png,dog,holdout\n"
        b"caf\xe9.png,dog,test\n"
        b"\n"
        b'"un"quoted.png,dog,\n'
        b"last.png,dog,test\n"
    )
    dataset = Dataset.from_source(path)
    assert [image.name for image in dataset.images] == ["with, comma.png", "last.png"]
    assert [reason.replace(str(path), "t.csv") for reason in dataset.rejected] == [
        "expected a row in t.csv line 3, found 1 values for 3 columns; correct it.",
        "expected a path in t.csv line 4, found none; add it or remove the row.",
        "expected a label in t.csv line 5, found none; add it or remove the row.",
        "expected the split train, val or test in t.csv line 6, found 'holdout'; correct it.",
        "expected a row in t.csv line 7, found text that is no UTF-8; correct it.",
        "expected a row in t.csv line 9, found it malformed (',' expected after '\"'); correct it.",
    ]


def test_malformed_json_lines(tmp_path: Path):
    path = tmp_path / "t.jsonl"
    lines = [
        b'{"path": "a.png", "label": 7}',
        b'{"path": "a.png", "label": ',
        b"[1, 2]",
        b'{"path": ["a.png"], "label": "x"}',
        b'{"path": "\\ud800.png", "label": "x"}',
        b"\xff",
        b"[" * 100_000,
        b'{"label": "x"}',
        b'{"url": "b.png", "class": "y", "more": {"deep": 1}}',
    ]
    path.write_bytes(b"\n".join(lines))
    dataset = Dataset.from_source(path)
    assert dataset.table.column("label").to_pylist() == ["7", "y"]
    assert len(dataset.rejected) == len(lines) - 2
    for number, reason in zip(range(2, 9), dataset.rejected, strict=True):
        assert reason.startswith("expected ")
        assert f"line {number}, found" in reason


def test_labels_of_a_data_frame_that_became_numbers(tmp_path: Path):
    table = pa.table({"path": ["a", "b", "c"], "label": pa.array([7.0, None, 1.5])})
    pq.write_table(table, tmp_path / "t.parquet")
    dataset = Dataset.from_source(tmp_path / "t.parquet")
    assert dataset.labels == ("1.5", "7")
    assert "row 2, found none" in dataset.rejected[0]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.csv", b"", "a column named path or file .*, found none"),
        ("t.csv", b"path,name\na,b\n", "named label or class in .*, found 'path', 'name'"),
        ("t.csv", b"path,path,label\na,b,c\n", "found one twice"),
        ("t.csv", b"path,label\n", "expected rows in .*, found none"),
        ("t.csv", b"path,label\n,\n", "found none in 1; the first: expected a path"),
        ("t.jsonl", b"\n\n", "expected rows in .*, found none"),
        ("t.parquet", b"PAR1 and no more", "expected a table in Parquet"),
    ],
)
def test_what_is_no_such_table(tmp_path: Path, name: str, content: bytes, sentence: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"^(?=expected ).*{sentence}"):
        Dataset.from_source(tmp_path / name)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """An HTTP server of a folder with one picture."""
    (tmp_path / "web").mkdir()
    Image.new("RGB", (6, 6), (1, 2, 3)).save(tmp_path / "web" / "a.png")

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path / "web"))

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_pictures_on_the_web_are_downloaded_once(tmp_path: Path, server: str, monkeypatch):
    monkeypatch.setenv(NETWORKS, "127.0.0.0/8")
    path = tmp_path / "t.csv"
    path.write_text(
        f"url,label\n{server}/a%20cat.png?size=6,cat\n{server}/missing.png,dog\nlocal.png,dog\n"
    )
    (tmp_path / "web" / "a.png").rename(tmp_path / "web" / "a cat.png")
    dataset = Dataset.from_source(path, tmp_path / "workspace")
    first, second = dataset.images
    origin = f"{server}/a%20cat.png?size=6"
    assert (first.name, first.origin, first.size) == ("a cat.png", origin, (6, 6))
    assert first.path.name.startswith("a cat-")  # for whoever meets it in a report
    assert first.path.is_relative_to(tmp_path / "workspace" / "sources" / "downloads")
    assert second.path == tmp_path / "local.png"
    (reason,) = dataset.rejected
    assert reason == (
        f"expected a picture at {server}/missing.png (class 'dog'), found the status 404; check "
        f"the address."
    )
    (tmp_path / "web" / "a cat.png").unlink()
    assert Dataset.from_source(path, tmp_path / "workspace").paths == dataset.paths


def test_what_is_no_picture_is_not_kept(tmp_path: Path, server: str, monkeypatch):
    monkeypatch.setenv(NETWORKS, "127.0.0.0/8")
    (tmp_path / "web" / "a.png").write_text("<html>Come back later.</html>")
    path = tmp_path / "t.csv"
    path.write_text(f"url,label\n{server}/a.png,cat\nlocal.png,dog\n")
    (reason,) = Dataset.from_source(path, tmp_path / "workspace").rejected
    assert "found no picture that can be read (image/png); check the address." in reason
    Image.new("RGB", (6, 6)).save(tmp_path / "web" / "a.png")
    assert len(Dataset.from_source(path, tmp_path / "workspace")) == 2


def test_no_other_hosts_than_public_ones_are_asked(tmp_path: Path, server: str, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text(f"url,label\n{server}/a.png,cat\nlocal.png,dog\n")
    dataset = Dataset.from_source(path, tmp_path / "workspace")
    assert [image.label for image in dataset.images] == ["dog"]
    assert "not public" in dataset.rejected[0]
    monkeypatch.setenv(NETWORKS, "here")
    with pytest.raises(UsageError, match=NETWORKS):
        Dataset.from_source(path, tmp_path / "workspace")


def mutated(content: bytes) -> st.SearchStrategy[bytes]:
    """Returns a good file with pieces cut out, doubled and replaced."""
    place = st.integers(0, len(content))
    edit = st.tuples(place, place, st.binary(max_size=6))

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        result = content
        for start, end, new in edits:
            result = result[:start] + new + result[end:]
        return result

    return st.lists(edit, max_size=4).map(apply)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_bytes_are_rows_or_one_sentence(tmp_path: Path, name: str, data: st.DataObject):
    path = write(tmp_path / name)
    path.write_bytes(data.draw(mutated(path.read_bytes()) | st.binary(max_size=200)))
    with contextlib.suppress(DataError):
        dataset = Dataset.from_source(path, tmp_path / "workspace")
        assert len(dataset)
        assert all(label.strip() for label in dataset.labels)
        assert all(reason.startswith("expected ") for reason in dataset.rejected)
        dataset.to_parquet(tmp_path / "index")
        assert Dataset.from_parquet(tmp_path / "index").table.equals(dataset.table)
