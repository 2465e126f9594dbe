"""Each kind of fault is found where it was planted, and applied only where it is accepted."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from PIL import Image

from automl import Dataset
from automl.audit.check import Audit, check
from automl.audit.clean import chosen, cleaned
from automl.audit.finding import KINDS
from automl.audit.report import as_object
from automl.cache import Cache
from automl.cli.dataset import command
from automl.errors import DataError, NotFoundError, UsageError
from automl.training.doubted_labels import doubted_labels
from automl.training.principal import narrowed, principal
from automl.training.strangers import outliers


def photo(seed: int, size: tuple[int, int] = (64, 64)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (7, 7, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 24 photos and one of 2, with a fault of each kind."""
    root = tmp_path_factory.mktemp("faulty") / "photos"
    for place, (label, count) in enumerate({"a": 24, "b": 24, "few": 2}.items()):
        (root / label).mkdir(parents=True)
        for number in range(count):
            photo(100 * place + number).save(root / label / f"{number}.png")
    shutil.copyfile(root / "a" / "1.png", root / "b" / "copy.png")
    photo(2).crop((2, 1, 63, 62)).save(root / "a" / "near.jpg")
    (root / "a" / "cut.png").write_bytes((root / "a" / "3.png").read_bytes()[:200])
    Image.new("RGB", (64, 64), (9, 9, 9)).save(root / "b" / "blank.png")
    photo(501, (64, 1000)).save(root / "b" / "tall.png")
    photo(502).save(root / "b" / "really.jpg", "PNG")
    return root


@pytest.fixture(scope="module")
def quick(faulty: Path) -> Audit:
    dataset = Dataset.from_folder(faulty)
    splits = ["test" if path.endswith("copy.png") else "train" for path in dataset.paths]
    column = dataset.table.schema.get_field_index("split")
    table = dataset.table.set_column(column, "split", pa.array(splits, pa.string()))
    return check(Dataset(table), Cache(faulty.parent / "cache", time.time()), deep=False)


@pytest.mark.parametrize(
    ("kind", "files", "detail"),
    [
        ("unreadable", ["a/cut.png"], "cut off or damaged"),
        (
            "exact_duplicate",
            ["a/1.png", "b/copy.png"],
            "2 files of one content, in the classes a, b",
        ),
        ("near_duplicate", ["a/2.png", "a/near.jpg"], "% alike"),
        ("leakage", ["a/1.png", "b/copy.png"], "the same file in test and train"),
        ("blank", ["b/blank.png"], "grey values at most 0 of 255 apart"),
        ("extreme_size", ["b/tall.png"], "64×1000 pixels"),
        ("false_format", ["b/really.jpg"], "named .jpg, but PNG"),
        ("small_class", [], "2 images"),
        ("imbalance", [], "14 times as many as few"),
    ],
)
def test_each_fault_is_found_once(
    quick: Audit, faulty: Path, kind: str, files: list[str], detail: str
):
    (finding,) = [each for each in quick.findings if each.kind == kind]
    assert list(finding.images) == [str(faulty / file) for file in files]
    assert detail in finding.detail
    assert finding.kind in KINDS


def test_nothing_is_wrong_with_sound_photos(tmp_path: Path):
    for number in range(30):
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        photo(number).save(tmp_path / "ab"[number % 2] / f"{number}.png")
    audit = check(Dataset.from_folder(tmp_path), Cache(tmp_path / "cache", time.time()), False)
    assert list(audit.findings) == []


def test_findings_that_are_accepted_are_applied(quick: Audit, faulty: Path):
    dataset, found = Dataset.from_folder(faulty), as_object(quick)["findings"]
    kinds = ["unreadable", "exact_duplicate", "near_duplicate", "blank", "leakage"]
    result, changes = cleaned(dataset, chosen(found, kinds))
    gone = {
        Path(path).relative_to(faulty).as_posix() for path in set(dataset.paths) - set(result.paths)
    }
    assert gone == {"a/cut.png", "b/copy.png", "a/near.jpg", "b/blank.png"}
    assert changes == "4 removed"
    assert Path(faulty / "b" / "copy.png").is_file()
    relabel = {"kind": "label_error", "images": [str(faulty / "a" / "0.png")], "suggested": "new"}
    result, changes = cleaned(dataset, chosen([relabel] * 2, ["label_error:1"]))
    assert result.counts["new"] == 1
    assert changes == "1 relabelled"
    with pytest.raises(UsageError, match="found 'small_class'; correct it"):
        chosen(found, ["small_class"])
    with pytest.raises(DataError, match=r"found elsewhere\.png, which it does not hold"):
        cleaned(dataset, [{"kind": "blank", "images": ["elsewhere.png"]}])


def test_of_a_leak_the_held_out_picture_stays(faulty: Path):
    dataset = Dataset.from_folder(faulty).select([0, 1, 2])
    column = dataset.table.schema.get_field_index("split")
    splits = pa.array(["train", "test", "val"], pa.string())
    dataset = Dataset(dataset.table.set_column(column, "split", splits))
    result, _ = cleaned(dataset, [{"kind": "leakage", "images": dataset.paths}])
    assert result.paths == dataset.paths[1:2]


def test_from_the_command_line(faulty: Path, tmp_path: Path):
    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(command, [*arguments, "--workspace", str(tmp_path / "w")])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    run("create", "photos", str(faulty))
    with pytest.raises(NotFoundError, match=r"expected findings at .*audit\.json, found none"):
        run("clean", "photos", "--accept", "blank")
    found = json.loads(run("check", "photos", "--quick", "--json").stdout)
    assert {"kind", "images", "score"} <= found["findings"][0].keys()
    page = Path(found["report"]).read_text()
    assert page.count("<img ") >= 6
    assert "a/near.jpg" in page
    assert json.loads(Path(found["json"]).read_text())["findings"] == found["findings"]
    assert "near_duplicate   1" in run("check", "photos", "--quick").stdout
    done = run("clean", "photos", "--accept", "blank", "--accept", "exact_duplicate")
    assert done.stdout == "photos@2: 2 removed; 54 images are left.\n"
    shown = run("show", "photos").stdout
    assert "Made of photos@1: 2 removed." in shown
    (tmp_path / "x.json").write_text('{"findings": [{"kind": 1}]}')
    with pytest.raises(DataError, match="something else; check again"):
        run("clean", "photos", "--accept", "blank", "--findings", str(tmp_path / "x.json"))


def test_doubts_are_ranked_by_the_probability_of_the_label():
    chance = random.Random(0)
    y = np.array([row % 3 for row in range(90)])
    probabilities = np.full((90, 3), 0.05)
    probabilities[np.arange(90), y] = [chance.uniform(0.6, 0.9) for _ in y]
    for row, (given, other) in {7: (0.01, 0.97), 50: (0.1, 0.8), 20: (0.35, 0.4)}.items():
        probabilities[row] = 1 - given - other
        probabilities[row, y[row]], probabilities[row, (y[row] + 1) % 3] = given, other
    rows, suggested = doubted_labels(probabilities, y)
    assert rows.tolist() == [7, 50]  # the model is never sure of the third
    assert suggested.tolist() == [(y[7] + 1) % 3, (y[50] + 1) % 3]


def test_outliers_are_the_far_ones():
    points = np.random.default_rng(0).normal(size=(200, 100)).astype(np.float32)
    points[[3, 150]] *= 5
    rows, far = outliers(points)
    assert set(rows.tolist()) == {3, 150}
    assert far[0] >= far[1] > 6
    assert len(outliers(points[:10])[0]) == 0


def test_fewer_pictures_than_dimensions_keep_their_distances():
    points = np.random.default_rng(0).normal(size=(30, 900)).astype(np.float32)
    kept = principal(points, 64)
    assert kept.shape == (30, 30)
    for first, second in ((0, 1), (5, 20)):
        apart = np.linalg.norm(points[first] - points[second])
        assert np.linalg.norm(kept[first] - kept[second]) == pytest.approx(apart, rel=1e-3)


def test_narrowed_features_are_as_far_apart_as_standardised_ones():
    chance = np.random.default_rng(1)
    features = (chance.normal(size=(80, 10)) @ chance.normal(size=(10, 60))).astype(np.float32)
    features *= chance.uniform(0.1, 100, 60).astype(np.float32)
    narrow = narrowed(features, 12)
    standard = features / features.std(axis=0)
    for first, second in ((0, 1), (5, 70), (33, 34)):
        kept = np.linalg.norm(narrow[first] - narrow[second])
        assert kept == pytest.approx(np.linalg.norm(standard[first] - standard[second]), rel=1e-3)
    assert narrow.std(axis=0).min() > 0.3 * narrow.std(axis=0).max()
    assert narrowed(features, 60) is features


@pytest.mark.slow
def test_wrong_labels_among_real_digits(digits: Path, tmp_path: Path):
    """Of 96 scans, 5 are put into other classes; bare pixels tell most of them."""
    wrong = set()
    for place, path in enumerate(sorted(digits.rglob("*.png"))):
        label = path.parent.name
        if place % 20 == 5:
            label = str((int(label) + 1) % 4)
            wrong.add(f"{label}/{path.parent.name}-{path.name}")
        made = tmp_path / "images" / label / f"{path.parent.name}-{path.name}"
        made.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, made)
    audit = check(Dataset.from_folder(tmp_path / "images"), Cache(tmp_path / "c", time.time()))
    flags = [finding for finding in audit.findings if finding.kind == "label_error"]
    right = [
        flag
        for flag in flags[: len(wrong)]
        if Path(flag.images[0]).relative_to(tmp_path / "images").as_posix() in wrong
    ]
    assert len(right) >= len(wrong) - 1
    assert all(flag.suggested == Path(flag.images[0]).name[0] for flag in right)
