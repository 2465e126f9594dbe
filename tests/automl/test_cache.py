"""The cache's limit, and how it tells a sound file from a damaged one."""

from __future__ import annotations

import os
import time

import pytest

from automl import cache as module
from automl.cache import Cache, parse_size, readable
from automl.errors import UsageError, WorkspaceError

HOUR = 3600.0


@pytest.fixture
def root(tmp_path):
    return tmp_path / "cache"


def keep(root, name, size=1000, age=0.0):
    """Keeps a file that was last used `age` seconds ago."""
    cache = Cache(root, time.time())
    path = cache.features / f"{name}.npy"
    with cache.writing(path) as file:
        file.write(os.urandom(size))
    use(path, age)
    return path


def use(path, age):
    for part in (path, path.with_suffix(".json")):
        os.utime(part, (time.time() - age,) * 2)


def names(root):
    return {path.stem for path in root.rglob("*.npy")}


class TestLimit:
    def test_nothing_is_made_by_looking(self, root):
        cache = Cache(root, time.time())
        assert cache.size() == 0
        assert cache.limit > 0
        assert cache.fits(cache.pixels / "a.npy", 1000)
        assert not root.exists()

    def test_it_is_a_fifth_of_what_the_disk_could_give(self, root):
        before = Cache(root, time.time()).limit
        keep(root, "a", 50_000_000)
        after = Cache(root, time.time())
        assert after.size() > 50_000_000
        assert after.limit == pytest.approx(before, rel=0.05)
        free = module.shutil.disk_usage(root).free
        assert after.limit == pytest.approx(0.2 * (free + after.size()), rel=0.05)

    def test_the_user_may_set_it(self, root, monkeypatch):
        monkeypatch.setenv("AUTOML_CACHE_LIMIT", "20GB")
        assert Cache(root, time.time()).limit == 20 * 10**9

    def test_the_least_recently_used_goes_first(self, root):
        for name, age in (("b", 2 * HOUR), ("a", 3 * HOUR), ("c", HOUR)):
            keep(root, name, age=age)
        cache = Cache(root, time.time(), 3300)
        assert cache.make_room(cache.pixels / "new.npy", 1000)
        assert names(root) == {"b", "c"}
        assert {path.stem for path in root.rglob("*.json")} == {"b", "c"}

    def test_reading_is_using(self, root):
        first, _ = keep(root, "a", age=3 * HOUR), keep(root, "b", age=2 * HOUR)
        Cache(root, time.time() - 3 * HOUR).read(first)
        cache = Cache(root, time.time() + HOUR, 2200)  # a later run
        assert cache.make_room(cache.features / "new.npy", 1000)
        assert names(root) == {"a"}

    def test_what_the_run_uses_stays_and_others_do_not_go_in_vain(self, root):
        keep(root, "old", age=HOUR)
        cache = Cache(root, time.time() - 60, 3000)
        mine = keep(root, "mine")
        path = cache.features / "new.npy"
        assert not cache.fits(path, 2000)
        assert not cache.make_room(path, 2000)
        assert names(root) == {"old", "mine"}
        assert cache.make_room(path, 1900)
        assert names(root) == {"mine"}
        assert cache.fits(mine, 3000)  # it would take its own place

    def test_what_must_be_goes_past_the_limit(self, root):
        keep(root, "old", age=HOUR)
        cache = Cache(root, time.time() - 60, 500)
        keep(root, "mine")
        cache.require_room(cache.pixels / "new.npy", 10_000)
        assert names(root) == {"mine"}

    def test_what_the_disk_cannot_hold_is_refused_at_once(self, root):
        keep(root, "old", age=HOUR)
        cache = Cache(root, time.time() - 60, 10**18)
        assert not cache.make_room(cache.pixels / "new.npy", 10**17)
        with pytest.raises(WorkspaceError, match=r"room on the disk for 100000\.0 TB, found"):
            cache.require_room(cache.pixels / "new.npy", 10**17)
        assert names(root) == {"old"}

    def test_half_written_files_of_processes_that_are_gone_are_removed(self, root):
        keep(root, "a")
        dead, alive = root / "features" / ".b.npy.x1", root / "features" / ".c.npy.x2"
        for path, age in ((dead, 25 * HOUR), (alive, 2 * HOUR)):
            path.write_bytes(bytes(1000))
            os.utime(path, (time.time() - age,) * 2)
        cache = Cache(root, time.time() + 1, 100)
        cache.require_room(cache.pixels / "new.npy", 10)
        assert [path.name for path in (root / "features").iterdir()] == [alive.name]


class TestSoundness:
    def test_facts_are_kept_beside_a_file(self, root):
        cache = Cache(root, time.time())
        path, facts = cache.pixels / "a.npy", {}
        with cache.writing(path, facts) as file:
            file.write(b"content")
            facts["unreadable"] = {"3": "größe"}
        found = Cache(root, time.time()).read(path)
        assert found is not None
        assert found["unreadable"] == facts["unreadable"]

    @pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3_500_000])
    def test_any_change_shows(self, root, size):
        path = keep(root, "a", size)
        assert Cache(root, time.time()).read(path) is not None
        whole = path.read_bytes()
        changes = [whole + b"x", whole[:-1] if whole else b"y"]
        for place in {0, size // 2, size - 1} if size else ():
            changes.append(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        for changed in changes:
            path.write_bytes(changed)
            assert Cache(root, time.time()).read(path) is None

    def test_pieces_of_large_files_are_checked(self, root, monkeypatch):
        monkeypatch.setattr(module, "WHOLE", 2 << 20)
        path = keep(root, "a", (10 << 20) + 5)
        whole = bytearray(path.read_bytes())
        assert Cache(root, time.time()).read(path) is not None
        whole[3 << 20 : 8 << 20] = bytes(5 << 20)
        path.write_bytes(whole)
        assert Cache(root, time.time()).read(path) is None

    def test_a_change_shows_to_who_has_read_it_before(self, root):
        path, cache = keep(root, "a"), Cache(root, time.time())
        assert cache.read(path) is not None
        path.write_bytes(bytes(1000))
        os.utime(path, (0, 0))
        assert cache.read(path) is None

    @pytest.mark.parametrize("listing", [None, b"", b"[]", b'{"checksum": 3}', b"{}", b"\xff"])
    def test_a_file_without_its_listing_is_none(self, root, listing):
        path = keep(root, "a")
        beside = path.with_suffix(".json")
        beside.unlink() if listing is None else beside.write_bytes(listing)
        assert Cache(root, time.time()).read(path) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20GB", 20 * 10**9),
        ("500 mb", 500 * 10**6),
        ("1.5GiB", 3 * 2**29),
        ("2T", 2 * 10**12),
        ("12345", 12345),
        ("7 B", 7),
        ("0", 0),
    ],
)
def test_sizes(text, size):
    assert parse_size(text, "AUTOML_CACHE_LIMIT") == size


@pytest.mark.parametrize("text", ["", "much", "-5GB", "5 XB", "GB", "5GB5", "1e9", "inf"])
def test_what_is_no_size(text):
    with pytest.raises(UsageError, match=r"expected a size such as 20GB .* found .*; correct it\."):
        parse_size(text, "AUTOML_CACHE_LIMIT")


def test_sizes_are_readable():
    assert [readable(size) for size in (0, 999, 1500, 2.5e9, 3e15)] == [
        *["0 B", "999 B", "1.5 kB", "2.5 GB", "3000.0 TB"]
    ]
