"""The bar of commands that count, as a terminal gets it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

PROGRAM = "from automl.cli.main import main; main()"


def typed(*arguments: str) -> tuple[bytes, bytes]:
    """Types a command; returns its standard output, and what its terminal got."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # how Linux says that nobody has the terminal open any more
            pass
        os.close(ours)
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 0, shown
    return said, shown


def test_making_a_dataset_shows_that_it_goes_on(digits: Path, tmp_path: Path):
    said, shown = typed("dataset", "create", "d", str(digits), "--workspace", str(tmp_path / "w"))
    assert said.startswith(b"d@1: 96 images in 4 classes.")
    assert b"reading images" in shown


def test_a_check_shows_how_far_it_is(digits: Path, tmp_path: Path):
    places = ("--save", str(tmp_path), "--workspace", str(tmp_path / "w"))
    said, shown = typed("dataset", "check", str(digits), "--quick", *places)
    assert b"findings in 96 images" in said
    assert b"reading images" in shown
    assert b"96/96" in shown
    assert b"reading" not in said
