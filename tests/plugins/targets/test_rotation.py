"""Logs that have grown are put aside, and their writers notice nothing."""

from __future__ import annotations

from pathlib import Path

from automl_plugins.targets.rotation import rotate


def test_a_few_are_kept_and_the_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    with path.open("ab", buffering=0) as log:
        for line in (b"one\n", b"two\n", b"three\n", b"four\n"):
            log.write(line)
            rotate(path, largest=3, kept=2)
        log.write(b"now")
    rotate(path, largest=3, kept=2)
    found = {each.name: each.read_text() for each in tmp_path.iterdir()}
    assert found == {"gateway.log": "now", "gateway.log.1": "four\n", "gateway.log.2": "three\n"}


def test_what_is_put_aside_is_as_private_as_the_log(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.touch(mode=0o600)
    path.write_text("a line\n")
    rotate(path, largest=1)
    assert (tmp_path / "server.log.1").stat().st_mode & 0o777 == 0o600


def test_without_room_for_a_copy_the_log_is_emptied_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    path.write_text("a line\n")
    (tmp_path / "gateway.log.1").mkdir()  # nothing can be copied to it
    (tmp_path / "gateway.log.1" / "gateway.log").mkdir()
    rotate(path, largest=1, kept=1)
    assert path.read_text() == ""


def test_a_log_that_is_gone_is_no_matter(tmp_path: Path) -> None:
    rotate(tmp_path / "gateway.log")
    assert list(tmp_path.iterdir()) == []
