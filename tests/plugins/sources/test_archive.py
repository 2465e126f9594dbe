"""Archives: what is inside is read, and nothing in them is trusted."""

from __future__ import annotations

import contextlib
import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from automl import Dataset
from automl.errors import DataError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for label, value in (("cat", 10), ("dog", 200)):
        (tmp_path / "made" / "photos" / label).mkdir(parents=True)
        for number in range(2):
            path = tmp_path / "made" / "photos" / label / f"{number}.png"
            Image.new("RGB", (4, 4), (value, number, 0)).save(path)
    return tmp_path / "made" / "photos"


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar", "bztar", "xztar"])
@pytest.mark.parametrize("inside", ["photos", "."])
def test_a_folder_of_class_folders(photos: Path, tmp_path: Path, kind: str, inside: str):
    root = photos.parent if inside == "photos" else photos
    archive = shutil.make_archive(str(tmp_path / "packed"), kind, root, inside)
    dataset = Dataset.from_source(archive, tmp_path / "workspace")
    assert dict(dataset.counts) == {"cat": 2, "dog": 2}
    assert dataset.fingerprint == Dataset.from_folder(photos).fingerprint
    assert Dataset.from_source(archive, tmp_path / "workspace").paths == dataset.paths


def test_a_table_and_splits(photos: Path, tmp_path: Path):
    (photos / "list.csv").write_text("path,label\ncat/0.png,x\ndog/1.png,y\n")
    archive = shutil.make_archive(str(tmp_path / "t"), "zip", photos.parent)
    assert Dataset.from_source(archive, tmp_path / "workspace").labels == ("x", "y")
    (tmp_path / "split" / "train").mkdir(parents=True)
    (photos / "list.csv").unlink()
    shutil.copytree(photos, tmp_path / "split" / "train", dirs_exist_ok=True)
    shutil.copytree(photos, tmp_path / "split" / "test")
    archive = shutil.make_archive(str(tmp_path / "s"), "tar", tmp_path, "split")
    dataset = Dataset.from_source(archive, tmp_path / "workspace")
    assert dataset.labels == ("cat", "dog")
    assert len(dataset.filter(split="train")) == len(dataset.filter(split="test")) == 4


def link(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    "name", ["../out.png", "/tmp/out.png", "a/../../out.png", "..\\out.png", "C:/x"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_that_leads_out_is_named(tmp_path: Path, name: str, kind: str):
    archive = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("cat/1.png", b"x")
            packed.writestr(name, b"x")
    else:
        with tarfile.open(archive, "w") as tar:
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(
        DataError, match=r"^expected an archive of plain files, found a path"
    ) as error:
        Dataset.from_source(archive, tmp_path / "workspace")
    assert repr(name) in str(error.value)
    assert list((tmp_path / "workspace" / "sources").iterdir()) == []
    assert not (tmp_path / "out.png").exists()


def test_links_and_devices_are_refused(tmp_path: Path):
    device = tarfile.TarInfo("null")
    device.type = tarfile.CHRTYPE
    for info, found in ((link("cat/1.png"), "a link"), (device, "a device")):
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            tar.addfile(info)
        with pytest.raises(DataError, match=f"found {found} in .* at '{info.name}'; leave"):
            Dataset.from_source(tmp_path / "a.tar", tmp_path / "workspace")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        entry = zipfile.ZipInfo("cat/link.png")
        entry.external_attr = 0o120777 << 16
        packed.writestr(entry, "/etc/passwd")
    with pytest.raises(DataError, match=r"found a link in .* at 'cat/link.png'"):
        Dataset.from_source(tmp_path / "a.zip", tmp_path / "workspace")


def test_a_bomb_is_stopped(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("cat/big.png", bytes(150_000_000))
    with pytest.raises(DataError, match=r"found more than 200 times its size in .*'cat/big.png'"):
        Dataset.from_source(tmp_path / "a.zip", tmp_path / "workspace")
    assert list((tmp_path / "workspace" / "sources").iterdir()) == []


@pytest.mark.parametrize("kind", ["zip", "gztar"])
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, 2000), flip=st.integers(0, 2000), value=st.integers(1, 255))
def test_damage_is_one_sentence(photos: Path, tmp_path: Path, kind: str, cut, flip, value):
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), kind, photos.parent))
    content = bytearray(archive.read_bytes())
    content[flip % len(content)] ^= value
    archive.write_bytes(content[: len(content) - cut if cut < 200 else len(content)])
    with contextlib.suppress(DataError):
        assert len(Dataset.from_source(archive, tmp_path / "workspace"))
