"""The examples, run as their users would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_search_and_score(digits: Path, tmp_path: Path):
    command = [sys.executable, str(EXAMPLES / "search_and_score.py"), str(digits), "--trials", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "class-averaged accuracy" in done.stdout
    assert done.stdout.count("scored over HTTP:") == 3
    assert (tmp_path / "exported" / "saved_model.pb").is_file()
