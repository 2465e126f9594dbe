"""`automl augment`, run in this process."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from automl import Dataset
from automl.cli import augment, dataset
from automl.cli.pipelines import load_pipeline
from automl.errors import UsageError
from automl.images import decode

MINE = """
import imgaug.augmenters as iaa
turned = iaa.Rot90(1, keep_size=False)
mirrored = iaa.Fliplr(1.0)
"""


COMMANDS = {"augment": dataset.command, "preview": augment.command}


@pytest.fixture
def images(tmp_path):
    for label, value in (("dark", 10), ("light", 240)):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(2):
            pixels = np.full((20, 30, 3), value, np.uint8)
            pixels[:, :10, number] = 120
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"{number}.png")
    return tmp_path / "images"


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE, encoding="utf-8")
    return path


def run(*arguments):
    done = CliRunner().invoke(
        COMMANDS[arguments[0]], [*map(str, arguments), "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_augment_writes_copies_and_a_table_of_all(images, mine, tmp_path):
    out = tmp_path / "out"
    found = run(
        "augment", images, out, "--pipeline", f"{mine}:turned", "--pipeline", f"{mine}:mirrored"
    )
    assert found == {"table": str(out / "images.csv"), "images": 4, "copies": 8}
    with (out / "images.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    originals, turned, mirrored = rows[:4], rows[4:8], rows[8:]
    for original, first, second in zip(originals, turned, mirrored, strict=True):
        pixels = decode(original["path"])
        np.testing.assert_array_equal(decode(first["path"]), np.rot90(pixels, -1))
        np.testing.assert_array_equal(decode(second["path"]), pixels[:, ::-1])
        assert original["label"] == first["label"] == second["label"]
        assert original["group"] == first["group"] == second["group"] == first["parent"]
    assert len({row["group"] for row in rows}) == 4


def test_what_else_is_known_of_an_image_is_known_of_its_copy(images, mine, tmp_path):
    lines = ["path,label,id,whose,license", "images/dark/0.png,dark,first,Ann,CC0 1.0"]
    (tmp_path / "t.csv").write_text("\n".join([*lines, "images/light/0.png,light,,,"]))
    found = run("augment", tmp_path / "t.csv", tmp_path / "out", "--pipeline", f"{mine}:mirrored")
    read = Dataset.from_source(found["table"]).table
    assert read.column("whose").to_pylist() == ["Ann", None] * 2
    assert read.column("license").to_pylist() == ["CC0 1.0", None] * 2
    assert read.column("name").to_pylist() == ["first", ""] * 2


@pytest.mark.parametrize("by", ["pipeline", "trivial", "imgaug", "none"])
def test_preview_draws_images_and_copies(images, mine, tmp_path, by):
    way = ("--pipeline", f"{mine}:mirrored") if by == "pipeline" else ("--policy", by)
    size = ("--rows", 3, "--copies", 2, "--side", 16)
    found = run("preview", images, tmp_path / "sheet.png", *way, *size)
    assert len(found["images"]) == 3
    sheet = decode(tmp_path / "sheet.png")
    columns = 1 if by == "none" else 3  # nothing varies, so there is nothing else to show
    assert sheet.shape == (4 + 3 * 20, 4 + columns * 20, 3)
    first = decode(found["images"][0], (16, 16))
    np.testing.assert_array_equal(sheet[4:20, 4:20], first)
    if by == "pipeline":
        np.testing.assert_array_equal(sheet[4:20, 24:40], first[:, ::-1])


def test_preview_takes_a_policy_or_a_pipeline(images, tmp_path):
    with pytest.raises(UsageError, match="found both; leave one out"):
        run("preview", images, tmp_path / "s.png", "--policy", "none", "--pipeline", "a.py:b")


@pytest.mark.parametrize(
    ("text", "content", "sentence"),
    [
        ("{file}", MINE, "expected a pipeline as FILE.py:NAME"),
        ("nowhere.py:mine", MINE, "of which no file is there"),
        ("{file}:other", MINE, "expected 'other' in .* found nothing of that name"),
        ("{file}:mine", "mine = 1 / 0", "to run, found ZeroDivisionError: division by zero"),
    ],
)
def test_a_pipeline_that_cannot_be_had(tmp_path, text, content, sentence):
    file = tmp_path / "pipelines.py"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=sentence):
        load_pipeline(text.format(file=file))
