"""The keys file and what it admits."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from automl.errors import UsageError
from automl_serving.gateway.errors import UnauthorizedError
from automl_serving.gateway.keys import KeyFile, KeyRing


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_each_key_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    entries = [{"name": name, "sha256": digest(f"key of {name}")} for name in ("ann", "bob")]
    path.write_text(json.dumps({"keys": entries}))
    keys = KeyRing.read(path)
    assert keys.check("Bearer key of ann") == "ann"
    assert keys.check("bearer  key of bob ") == "bob"
    for wrong in (
        "Bearer key of eve",
        f"Bearer {digest('key of ann')}",
        "Bearer",
        "",
        "key of ann",
    ):
        with pytest.raises(UnauthorizedError):
            keys.check(wrong)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        "{}",
        {"keys": []},
        {"keys": {}},
        {"keys": ["a"]},
        {"keys": [{"name": "a"}]},
        {"keys": [{"name": "a", "sha256": "the key itself"}]},
        {"keys": [{"name": "a", "sha256": digest("a") + "0"}]},
        {"keys": [{"name": "a", "sha256": digest("a")}, {"name": "a", "sha256": digest("b")}]},
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UsageError, match=r"keys\.json") as caught:
        KeyRing.read(path)
    assert "the key itself" not in str(caught.value)


def test_keys_change_while_the_service_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.json"

    def write(*names: str) -> None:
        entries = [{"name": name, "sha256": digest(f"key of {name}")} for name in names]
        path.write_text(json.dumps({"keys": entries}))

    write("ann")
    keys = KeyFile(path)
    assert keys.check("Bearer key of ann") == "ann"
    write("ann", "bob")
    assert keys.check("Bearer key of bob") == "bob"
    write("bob")
    with pytest.raises(UnauthorizedError):
        keys.check("Bearer key of ann")
    for damage in (lambda: path.write_text('{"keys": ['), path.unlink):
        damage()
        assert keys.check("Bearer key of bob") == "bob"
        assert "the former keys stay" in caplog.text
        caplog.clear()
        assert keys.check("Bearer key of bob") == "bob"
        assert not caplog.text
    write("ann")
    assert keys.check("Bearer key of ann") == "ann"
