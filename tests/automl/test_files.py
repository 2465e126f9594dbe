"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import stat

import pytest

from automl.files import replacing, write_json


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "file"
    with replacing(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_changes_nothing(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def write():
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_readable_and_keeps_its_mode(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"größe": ["緑", 1.5, None]}, mode=0o600)
    assert "größe" in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == {"größe": ["緑", 1.5, None]}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
