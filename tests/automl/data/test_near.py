"""Near duplicates among photos, and groups that stay together."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageFilter

from automl import Dataset
from automl.components import ImageRecord
from automl.data.groups import group_numbers
from automl.data.near import NearPair, near_duplicates, thumbnails
from automl.data.registration import agreement
from automl.errors import UsageError


def photo(seed: int) -> Image.Image:
    """Draws a scene of soft shapes, none like another."""
    chance = random.Random(seed)
    image = Image.new("RGB", (160, 120), tuple(chance.choices(range(256), k=3)))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = chance.randrange(160), chance.randrange(120)
        size = chance.randrange(10, 60)
        draw.ellipse(
            (x - size, y - size, x + size, y + size), tuple(chance.choices(range(256), k=3))
        )
    return image.filter(ImageFilter.GaussianBlur(2))


def encoded(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(buffer)


VARIANTS = {
    "encoded again": encoded,
    "smaller": lambda image: image.resize((90, 70)),
    "cropped": lambda image: image.crop((6, 2, 155, 116)),
    "brighter": lambda image: image.point(lambda value: min(255, value * 0.9 + 20)),
}


def pixels(images: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image.convert("RGB").resize((96, 96))) for image in images])


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_each_variant_is_found_and_nothing_else(variant):
    originals = [photo(seed) for seed in range(60)]
    made = pixels([*originals, *map(variant, originals[:20])])
    pairs = near_duplicates(thumbnails(made), [str(row) for row in range(80)])
    assert {(pair.first, pair.second) for pair in pairs} == {(row, 60 + row) for row in range(20)}
    scores = [pair.score for pair in pairs]
    assert scores == sorted(scores, reverse=True)


def test_copies_are_no_pairs_and_blank_pictures_are_like_none():
    made = pixels(
        [photo(1), photo(1), *(Image.new("RGB", (40, 40), (v, v, v)) for v in (0, 9, 255))]
    )
    assert near_duplicates(thumbnails(made), ["a", "a", "b", "c", "d"]) == []
    assert near_duplicates(thumbnails(made[:1]), ["a"]) == []
    assert near_duplicates(thumbnails(made[:0]), []) == []


def test_candidates_none_of_which_comes_close():
    first, second = (np.asarray(photo(seed).resize((96, 96)), np.float32) for seed in (1, 2))
    blend = (0.55 * first + 0.45 * second).astype(np.uint8)
    made = np.stack([first.astype(np.uint8), blend])
    assert near_duplicates(thumbnails(made), ["a", "b"]) == []
    assert agreement(thumbnails(made), np.array([[0, 1]]))[0] < 0.9
    assert len(agreement(thumbnails(made), np.zeros((0, 2), np.int64))) == 0


def test_many_variants_of_one_picture():
    made = pixels([photo(1).crop((i // 2, 0, 160, 120)) for i in range(12)] + [photo(9)])
    pairs = near_duplicates(thumbnails(made), [str(row) for row in range(13)])
    dataset = Dataset.from_records(ImageRecord(Path(f"{row}"), "a") for row in range(13))
    groups = group_numbers(dataset, pairs=pairs)
    assert len(set(groups[:12])) == 1
    assert groups[12] not in groups[:12]


@pytest.fixture
def rows() -> Dataset:
    def record(row: int) -> ImageRecord:
        more = {"patient": str(row // 3)} if row < 36 else {}
        return ImageRecord(Path(f"{row}.png"), "ab"[row % 2], more=more)

    dataset = Dataset.from_records(map(record, range(60)))
    ids = [f"{row:x}" if row != 59 else "3a" for row in range(60)]  # 58 and 59 are copies
    place = dataset.table.schema.get_field_index("id")
    return Dataset(dataset.table.set_column(place, "id", pa.array(ids, pa.string())))


def test_groups_are_joined_by_whatever_they_share(rows: Dataset):
    groups = group_numbers(rows, ["patient"], [NearPair(0, 3, 1.0), NearPair(40, 41, 1.0)])
    assert len(set(groups[:6])) == 1
    assert groups[58] == groups[59]
    assert groups[40] == groups[41]
    assert len(set(groups)) == 11 + 24 - 2


@pytest.mark.parametrize("seed", range(5))
def test_a_split_by_a_column(rows: Dataset, seed: int):
    train, test = rows.split(0.7, seed=seed, group="patient")
    whose = [set(part.table.column("patient").drop_null().to_pylist()) for part in (train, test)]
    assert not whose[0] & whose[1]
    assert len(train) + len(test) == len(rows)
    assert min(*train.counts.values(), *test.counts.values()) >= 1
    assert rows.split(0.7, seed=seed, group="patient")[0].paths == train.paths
    with pytest.raises(UsageError, match="found 'doctor'"):
        rows.split(group="doctor")
