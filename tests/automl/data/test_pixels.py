"""The pixel cache."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from automl.cache import Cache
from automl.data.dataset import Dataset
from automl.data.pixels import open_pixels
from automl.errors import WorkspaceError
from automl.images import decode

SIDE = 6


@pytest.fixture
def dataset(tmp_path):
    generator = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(5):
            pixels = generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"{number}.png")
    (tmp_path / "images" / "a" / "2.png").write_bytes(b"no image")
    return Dataset.from_folder(tmp_path / "images")


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", time.time(), 10**9)


class Progress:
    """Counts how often it was called: once for each image that is decoded."""

    def __init__(self):
        self.done = []

    def __call__(self, done):
        self.done.append(done)


def test_images_are_decoded_in_order_and_unreadable_ones_are_zeros(dataset, cache):
    progress = Progress()
    pixels = open_pixels(dataset, SIDE, cache, progress)
    assert pixels.array.shape == (10, SIDE, SIDE, 3)
    assert pixels.array.dtype == np.uint8
    assert isinstance(pixels.array, np.memmap)
    assert not pixels.array.flags.writeable
    for row, path in enumerate(dataset.paths):
        expected = np.zeros((SIDE, SIDE, 3)) if row == 2 else decode(path, (SIDE, SIDE))
        np.testing.assert_array_equal(pixels.array[row], expected)
    assert list(pixels.unreadable) == [2]
    assert "2.png" in pixels.unreadable[2]
    assert progress.done == list(range(1, 11))


def test_the_second_time_nothing_is_decoded(dataset, cache):
    first = open_pixels(dataset, SIDE, cache)
    before = first.path.read_bytes()
    progress = Progress()
    second = open_pixels(dataset, SIDE, cache, progress)
    assert progress.done == []
    assert second == first
    assert second.path.read_bytes() == before


def test_the_key_is_content_and_resolution(dataset, cache):
    first = open_pixels(dataset, SIDE, cache)
    assert open_pixels(dataset, SIDE + 1, cache).key != first.key
    assert open_pixels(dataset.select(range(9)), SIDE, cache).key != first.key
    assert open_pixels(dataset.select([*range(1, 10), 0]), SIDE, cache).key != first.key
    relabelled = dataset.relabelled(["b", "a"])
    assert open_pixels(relabelled, SIDE, cache).key == first.key


def test_reasons_name_the_files_where_they_are_now(dataset, cache, tmp_path):
    open_pixels(dataset, SIDE, cache)
    (tmp_path / "images").rename(tmp_path / "moved")
    progress = Progress()
    moved = open_pixels(Dataset.from_folder(tmp_path / "moved"), SIDE, cache, progress)
    assert progress.done == []
    assert str(tmp_path / "moved" / "a" / "2.png") in moved.unreadable[2]


@pytest.mark.parametrize("damage", ["empty", "cut off", "letter", "altered", "other's", "gone"])
@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_a_damaged_file_is_made_anew(dataset, cache, tmp_path, damage, suffix):
    first = open_pixels(dataset, SIDE, cache)
    path = first.path.with_suffix(suffix)
    whole = path.read_bytes()
    if damage == "altered":
        path.write_bytes(whole.replace(whole[-5:], bytes(5)))
    elif damage == "other's":
        other = open_pixels(dataset.select(range(9)), SIDE, cache)
        path.write_bytes(other.path.read_bytes())
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut off": whole[:-3], "letter": b"Dear"}[damage])
    progress = Progress()
    again = open_pixels(dataset, SIDE, Cache(cache.root, time.time()), progress)
    assert len(progress.done) == 10
    assert path.read_bytes() == whole
    assert again == first


def test_an_interrupted_write_leaves_nothing(dataset, cache):
    def interrupt(done):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_pixels(dataset, SIDE, cache, interrupt)
    assert list(cache.pixels.iterdir()) == []
    assert open_pixels(dataset, SIDE, cache).array.shape[0] == 10


KILLED = """
import os, signal, sys, time
from pathlib import Path
from automl.cache import Cache
from automl.data.dataset import Dataset
from automl.data.pixels import open_pixels

def die(done):
    if done == 5:
        os.kill(os.getpid(), signal.SIGKILL)

open_pixels(Dataset.from_folder(sys.argv[1]), 6, Cache(Path(sys.argv[2]), time.time()), die)
"""


def test_a_killed_write_is_begun_again(dataset, cache, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / "images", cache.root], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert list(cache.pixels.glob("[!.]*")) == []
    progress = Progress()
    pixels = open_pixels(dataset, SIDE, cache, progress)
    assert progress.done == list(range(1, 11))
    np.testing.assert_array_equal(pixels.array[0], decode(dataset.paths[0], (SIDE, SIDE)))


def test_several_threads_decode(dataset, cache, monkeypatch):
    """Two have to be at work at the same time, or the barrier breaks."""
    monkeypatch.setattr("automl.data.pixels.cores", lambda: 2)
    barrier = threading.Barrier(2, timeout=20)

    def meet(*arguments):
        barrier.wait()
        return decode(*arguments)

    monkeypatch.setattr("automl.data.pixels.decode", meet)
    assert list(open_pixels(dataset, SIDE, cache).unreadable) == [2]


def test_a_file_that_cannot_be_written_leaves_nothing(dataset, cache):
    """As on a full disk: the write itself fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(WorkspaceError, match=r"can be written at .*File too large"):
            open_pixels(dataset, 64, cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(cache.pixels.iterdir()) == []


def test_pixels_are_kept_past_the_limit(dataset, cache):
    """There is nothing to train on without them; what is not in use makes room."""
    old = open_pixels(dataset, SIDE, cache)
    for path in (old.path, old.path.with_suffix(".json")):
        os.utime(path, (0, 0))
    small = Cache(cache.root, time.time(), 100)
    assert open_pixels(dataset, 2 * SIDE, small).path.is_file()
    assert not old.path.exists()


def test_nothing_to_decode(dataset, cache):
    assert open_pixels(dataset.select([]), SIDE, cache).array.shape == (0, SIDE, SIDE, 3)


def test_many_images_come_in_order(dataset, cache):
    rows = [row % 10 for row in range(300)]
    pixels = open_pixels(dataset.select(rows), SIDE, cache)
    np.testing.assert_array_equal(pixels.array[:10], pixels.array[290:])
    assert sorted(pixels.unreadable) == list(range(2, 300, 10))
