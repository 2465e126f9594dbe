"""What a user can get wrong when searching, typed at the real command line."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

HEAVY = ("tensorflow", "keras", "keras_tuner", "sklearn")
"""What takes seconds to import, and is not waited for where a mistake shows without it."""


@dataclass(frozen=True)
class Answer:
    """What a command answered, and the modules that it imported for it."""

    code: int
    out: str
    err: str
    imported: frozenset[str]

    def sentence(self, code=1):
        """Returns the error, having checked its form."""
        assert self.code == code, self.err
        assert self.out == ""
        assert "Traceback" not in self.err
        lines = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, self.err
        assert self.err.endswith(lines[0] + "\n")
        assert "expected " in lines[0]
        assert "found " in lines[0]
        return lines[0]


def automl(*arguments, command=(), env=None, **options):
    done = subprocess.run(
        [*command, sys.executable, "-m", "automl", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1", **(env or {})},
        **options,
    )
    lines = done.stderr.splitlines(keepends=True)
    imports = [line for line in lines if line.startswith("import time:")]
    said = "".join(line for line in lines if not line.startswith("import time:"))
    modules = frozenset(line.rsplit("|", 1)[1].strip() for line in imports)
    assert "automl.cli.main" in modules
    return Answer(done.returncode, done.stdout, said, modules)


@pytest.fixture
def workspace(tmp_path):
    return tmp_path / "workspace"


@pytest.fixture
def search(workspace):
    def run(*arguments, **options):
        return automl("search", *arguments, "--workspace", workspace, **options)

    return run


def pictures(folder, *labels, count=3):
    for label in labels:
        (folder / label).mkdir(parents=True)
        for number in range(count):
            Image.new("L", (8, 8), 10 * number).save(folder / label / f"{number}.png")
    return folder


def refused_at_once(answer, workspace, code):
    """Checks that nothing was made or started for it; returns the sentence."""
    sentence = answer.sentence(code)
    assert not answer.imported.intersection(HEAVY)
    assert not list(workspace.glob("experiments/**/*"))
    return sentence


class TestImages:
    def test_missing_folder(self, search, workspace, tmp_path):
        answer = search(tmp_path / "nowhere")
        assert "found nothing at" in refused_at_once(answer, workspace, 1)

    def test_a_file_in_place_of_a_folder(self, search, workspace, tmp_path):
        (tmp_path / "photo.jpg").write_bytes(b"photo")
        answer = search(tmp_path / "photo.jpg")
        assert "expected a folder of class folders" in refused_at_once(answer, workspace, 1)

    def test_empty_folder(self, search, workspace, tmp_path):
        (tmp_path / "images").mkdir()
        answer = search(tmp_path / "images")
        assert "found no sub-folders with images" in refused_at_once(answer, workspace, 1)

    def test_folder_of_images_without_class_folders(self, search, workspace, tmp_path):
        pictures(tmp_path, "images")
        answer = search(tmp_path / "images")
        assert "found 3 images without class folders" in refused_at_once(answer, workspace, 1)

    def test_one_class(self, search, workspace, tmp_path):
        answer = search(pictures(tmp_path / "images", "cat"))
        assert "found only 'cat'" in refused_at_once(answer, workspace, 1)

    def test_a_class_with_one_image(self, search, workspace, tmp_path):
        folder = pictures(tmp_path / "images", "cat", "dog")
        pictures(folder, "große Vögel", count=1)
        answer = search(folder)
        assert "found 1 in 'große Vögel'" in refused_at_once(answer, workspace, 1)

    def test_a_test_folder_with_other_classes(self, search, workspace, tmp_path):
        folder = pictures(tmp_path / "images", "cat", "dog")
        other = pictures(tmp_path / "test", "cat", "cow")
        answer = search(folder, "--test", other)
        assert "found 'cow' too" in refused_at_once(answer, workspace, 1)

    def test_missing_test_folder(self, search, workspace, tmp_path):
        folder = pictures(tmp_path / "images", "cat", "dog")
        answer = search(folder, "--test", tmp_path / "nowhere")
        assert "found nothing at" in refused_at_once(answer, workspace, 1)

    def test_a_class_folder_whose_name_is_no_utf_8(self, search, workspace, tmp_path):
        folder = pictures(tmp_path / "images", "cat", "dog")
        shutil.copytree(folder / "cat", folder / os.fsdecode(b"v\xf6gel"))
        answer = search(folder)
        assert "v\\xf6gel" in refused_at_once(answer, workspace, 1)


class TestOptions:
    @pytest.fixture
    def folder(self, tmp_path):
        return pictures(tmp_path / "images", "cat", "dog")

    @pytest.mark.parametrize(
        ("arguments", "found"),
        [
            (["--budget", "3x"], "found '3x'"),
            (["--budget", "0"], "found '0'"),
            (["--budget", ""], "found ''"),
            (["--budget", "-5m"], "found '-5m'"),
            (["--name", "a/b"], "found 'a/b'"),
            (["--name", ""], "found ''"),
            (["--name", "x" * 64], "at most 63"),
            (["--strategy", "stagd"], "did you mean 'staged'?"),
            (["--set", "nothing"], "--set DIMENSION=VALUE"),
            (["--set", "=5"], "--set DIMENSION=VALUE"),
            (["--set", "lr="], "--set DIMENSION=VALUE"),
            (["--set", "depth=1", "--set", "depth=2"], "found it twice"),
            (["--set", "backbone=pixel"], "did you mean 'pixels'?"),
            (["--set", "head=logistics"], "did you mean 'logistic'?"),
            (["--set", "augmentation=crop"], "found 'crop'"),
            (["--set", "depth=17"], "found '17'"),
            (["--set", "backbone=resnet", "--set", "depth=17"], "resnet (18, 34, 50, 101, 152)"),
            (["--set", "C=0"], "found '0'"),
            (["--set", "lr=fast"], "found 'fast'"),
            (["--set", "lr=0.1x0"], "found '0.1x0'"),
            (["--set", "lr=0.1x3", "--set", "epochs=4"], "epochs=3, which lr=0.1x3 implies"),
            (["--set", "weights=random"], "found weights alone"),
            (["--set", "backbone=resnet", "--set", "weights=no.pth"], "found no file 'no.pth'"),
        ],
    )
    def test_wrong_value(self, search, workspace, folder, arguments, found):
        assert found in refused_at_once(search(folder, *arguments), workspace, 2)

    @pytest.mark.parametrize(
        ("arguments", "found"),
        [
            (["--set", "backbon=pixels"], "did you mean 'backbone'?"),
            (["--set", "backbone=pixels", "--set", "resolution=big"], "found 'big'"),
        ],
    )
    def test_wrong_dimension(self, search, folder, arguments, found):
        assert found in search(folder, *arguments).sentence(2)

    @pytest.mark.parametrize("arguments", [["--trials", "0"], ["--seed", "-1"], ["--budgett", "1"]])
    def test_wrong_flag(self, search, workspace, folder, arguments):
        answer = search(folder, *arguments)
        assert arguments[0] in refused_at_once(answer, workspace, 2)
        assert not workspace.exists()

    def test_wrong_backend(self, search, workspace, folder):
        answer = search(folder, env={"KERAS_BACKEND": "numpy"})
        assert "found 'numpy'" in refused_at_once(answer, workspace, 2)

    def test_traceback_shows_where(self, search, tmp_path):
        answer = search(tmp_path / "nowhere", "--traceback")
        assert answer.code == 1
        assert "Traceback (most recent call last)" in answer.err
        assert "found nothing at" in answer.err

    def test_json_keeps_standard_output_clean_on_errors(self, search, tmp_path):
        assert "found nothing at" in search(tmp_path / "nowhere", "--json").sentence(1)


class TestWorkspace:
    @pytest.fixture
    def folder(self, tmp_path):
        return pictures(tmp_path / "images", "cat", "dog")

    def test_a_file(self, search, workspace, folder):
        workspace.write_text("a letter")
        assert "found the file" in search(folder).sentence(1)
        assert workspace.read_text() == "a letter"

    @pytest.mark.parametrize("content", ["{", "[]", '{"format": 99}'])
    def test_another_format(self, search, workspace, folder, content):
        workspace.mkdir()
        (workspace / "workspace.json").write_text(content)
        answer = search(folder)
        assert "--workspace DIR" in refused_at_once(answer, workspace, 1)

    @pytest.mark.parametrize("mode", [0o000, 0o500])
    def test_no_permission(self, search, workspace, folder, mode):
        workspace.mkdir()
        workspace.chmod(mode)
        answer = search(folder, preexec_fn=without_override)
        workspace.chmod(0o700)
        assert "Permission denied" in refused_at_once(answer, workspace, 1)

    def test_no_permission_to_make_it(self, folder):
        workspace = Path("/proc/workspace")
        answer = automl("search", folder, "--workspace", workspace)
        assert str(workspace) in refused_at_once(answer, workspace, 1)

    @pytest.mark.parametrize(
        ("kilobytes", "side"),
        [
            pytest.param(1000, 64, id="for the pixels"),
            pytest.param(12, 24, id="for the events"),
            pytest.param(200, 24, id="for what the run writes down"),
            pytest.param(330, 24, id="for the model", marks=pytest.mark.slow),
        ],
    )
    def test_no_space_left(self, tmp_path, digits, kilobytes, side):
        disk = tmp_path / "disk"
        disk.mkdir()
        answer = automl(
            "search",
            digits,
            "--workspace",
            disk / "workspace",
            "--set=backbone=pixels",
            f"--set=resolution={side}",
            "--set=head=logistic",
            command=on_a_small_disk(disk, kilobytes),
        )
        sentence = answer.sentence(1)
        assert re.search("expected room on the disk.*, found .* left", sentence)
        left = (tmp_path / "disk.left").read_text()
        assert "events.jsonl" in left
        assert not {"winner", "trials"} & set(left.replace("\n", "/").split("/"))
        assert not re.search(r"/\.", left)

    def test_a_cache_that_is_damaged_or_may_not_be_written(self, search, workspace, digits):
        """A damaged file is made anew, and one that is there is used by whoever may read it."""

        def score(**options):
            answer = search(digits, "--json", *pins, **options)
            assert answer.code == 0, answer.err
            return json.loads(answer.out)["balanced_accuracy"]

        pins = ["--set=backbone=pixels", "--set=resolution=8", "--set=head=logistic", "--set=C=1"]
        folder = workspace / "cache" / "pixels"
        folder.mkdir(parents=True)
        folder.chmod(0o500)
        sentence = search(digits, *pins, preexec_fn=without_override).sentence(1)
        assert f"expected a cache that can be written at {folder}" in sentence
        assert "Permission denied" in sentence
        folder.chmod(0o700)

        first = score()
        (pixels,) = folder.glob("*.npy")
        whole = pixels.read_bytes()
        for damaged in (whole[:200] + whole[-len(whole) + 200 :][::-1], whole[:-1]):
            pixels.write_bytes(damaged)
            assert score() == first
            assert pixels.read_bytes() == whole

        folder.chmod(0o500)
        assert score(preexec_fn=without_override) == first
        folder.chmod(0o700)

    def test_a_limit_of_the_cache_that_is_none(self, search, workspace, folder):
        answer = search(folder, env={"AUTOML_CACHE_LIMIT": "much"})
        assert "in AUTOML_CACHE_LIMIT, found 'much'" in refused_at_once(answer, workspace, 2)


def without_override():
    """Takes from root what lets it read and write everything, so that permissions count."""
    libc = ctypes.CDLL(None)
    drop_from_bounding_set, override, read_search = 24, 1, 2
    for capability in (override, read_search):
        libc.prctl(drop_from_bounding_set, capability, 0, 0, 0)


def on_a_small_disk(folder, kilobytes):
    """Returns a command that runs another with a real small file system at `folder`.

    It lists in `folder`.left what is on it in the end.
    """
    script = f'mount -t tmpfs -o size={kilobytes}k none "$0" && "$@"\n'
    script += 'code=$?; find "$0" >"$0.left"; exit $code'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(folder)]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("this system lets nobody mount a small file system")
    return command


def bomb():
    """Returns a PNG of 20,000×20,000 black pixels: 1.2 GB unpacked, 1.2 MB on the disk."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    side = 20_000
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * side)
    data = b"".join([packer.compress(row) for _ in range(side)] + [packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", data),
            chunk(b"IEND", b""),
        ]
    )


ODD = {"0": "größe mm", "1": "緑 · grün", "2": "-rf 'x' \"q\" &<b>"}
"""Labels that trip whoever passes them through a shell, a table or HTML."""


@pytest.fixture(scope="session")
def spoilt(digits, tmp_path_factory):
    """Digits under odd labels, with everything among them that cannot be read."""
    folder = tmp_path_factory.mktemp("spoilt")
    for label in digits.iterdir():
        shutil.copytree(label, folder / ODD.get(label.name, label.name))
    place = folder / ODD["0"]
    whole = (place / "00.png").read_bytes()
    (place / "no image.png").write_bytes(b"This is a letter.")
    (place / "cut off.png").write_bytes(whole[: len(whole) * 2 // 3])
    (place / "empty.png").write_bytes(b"")
    (place / "bomb.png").write_bytes(bomb())
    (place / "broken link.png").symlink_to(place / "nowhere.png")
    Path(os.fsdecode(os.fsencode(place) + b"/caf\xe9.png")).write_bytes(whole)
    (folder / ".hidden").mkdir()
    return folder


@pytest.fixture(scope="session")
def searched(spoilt, tmp_path_factory):
    """A whole search of `spoilt`, as JSON."""
    workspace = tmp_path_factory.mktemp("workspace")
    return automl(
        *["search", spoilt, "--workspace", workspace, "--name", "digits", "--json"],
        *["--set", "backbone=pixels", "--set", "resolution=8", "--set", "head=logistic"],
        *["--set", "C=1"],
    )


class TestUnreadableImages:
    def test_the_search_goes_on(self, searched):
        assert searched.code == 0, searched.err
        assert "Traceback" not in searched.err

    def test_json_is_one_object_and_nothing_else(self, searched):
        result = json.loads(searched.out)
        assert searched.out.count("\n") == 1
        assert {"run", "model", "version", "saved_model", "report", "seconds"} <= set(result)
        assert result["balanced_accuracy"] > 0.9
        assert result["test_images"] > 0
        assert Path(result["saved_model"], "saved_model.pb").is_file()

    def test_they_are_set_aside_and_listed(self, searched, spoilt):
        listed = json.loads(searched.out)["unreadable"]
        place = spoilt / ODD["0"]
        reasons = {Path(item["path"]).name: item["reason"] for item in listed}
        assert set(reasons) == {
            *["no image.png", "cut off.png", "empty.png", "bomb.png", "broken link.png"],
            "caf\\xe9.png",
        }
        assert all(Path(item["path"]).parent == place for item in listed)
        assert all(why.startswith("expected ") for why in reasons.values())
        assert "none of these or cut off" in reasons["no image.png"]
        assert "cut off or damaged" in reasons["cut off.png"]
        assert "empty" in reasons["empty.png"]
        assert "with 400,000,000 pixels" in reasons["bomb.png"]
        assert "No such file" in reasons["broken link.png"]
        assert "UTF-8" in reasons["caf\\xe9.png"]

    def test_odd_labels_come_through(self, searched):
        saved = Path(json.loads(searched.out)["saved_model"])
        from automl import load_model

        assert set(load_model(saved).labels) == {*ODD.values(), "3"}

    def test_the_report_lists_them(self, searched):
        report = Path(json.loads(searched.out)["report"]).read_text(encoding="utf-8")
        assert "bomb.png" in report
        assert "&amp;&lt;b&gt;" in report
        assert "&<b>" not in report.replace("\\u003c", "<").split("<script", 1)[0]


def test_a_class_of_which_one_image_can_be_read(search, tmp_path):
    folder = pictures(tmp_path / "images", "cat", "dog")
    for number in (1, 2):
        (folder / "dog" / f"{number}.png").write_bytes(b"")
    sentence = search(folder).sentence(1)
    assert "at least 2 readable images in each class, found 1 in 'dog'" in sentence


def test_no_image_can_be_read(search, tmp_path):
    folder = pictures(tmp_path / "images", "cat", "dog")
    for path in folder.rglob("*.png"):
        path.write_bytes(b"letter")
    assert "expected readable images, found none" in search(folder).sentence(1)
