"""Archives unpacked without trust: nothing is written outside, nothing grows without end."""

from __future__ import annotations

import errno
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from automl.errors import DataError

MOST_TIMES = 200
"""How many times its own size an archive may unpack to; pictures hardly shrink in one."""

ALWAYS = 100_000_000
"""Bytes that any archive may unpack to."""

MOST_MEMBERS = 5_000_000

_PIECE = 1 << 20
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a compression that Python lacks
    RuntimeError,  # a password
    ValueError,
    IndexError,
    OverflowError,
)


@dataclass(frozen=True)
class _Member:
    name: str
    kind: str  # "file", "folder", or in words what is refused
    archive: Any
    info: Any

    def open(self) -> IO[bytes]:
        if isinstance(self.archive, zipfile.ZipFile):
            return self.archive.open(self.info)
        file: IO[bytes] = self.archive.extractfile(self.info)
        return file


def unpack(archive: Path, folder: Path) -> None:
    """Writes the files of a zip or tar under `folder`, which exists.

    Raises:
        DataError: If it is damaged, or a member would lie outside, is a link or device, or makes
            the whole more than `MOST_TIMES` the archive's size.
    """
    left = max(ALWAYS, MOST_TIMES * archive.stat().st_size)
    name = ""
    try:
        for number, member in enumerate(_members(archive)):
            name = member.name
            target = folder / _safe(member, archive)
            if number >= MOST_MEMBERS:
                raise _refused(archive, name, f"more than {MOST_MEMBERS:,} members")
            if member.kind == "folder":
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as source, target.open("wb") as file:
                while piece := source.read(_PIECE):
                    left -= len(piece)
                    if left < 0:
                        raise _refused(archive, name, f"more than {MOST_TIMES} times its size")
                    file.write(piece)
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f" at {name[:200]!r}" if name else ""
        raise DataError(
            f"expected a zip or tar that can be unpacked, found {archive} damaged{where} "
            f"({' '.join(str(error).split())[:200] or type(error).__name__}); pack it again."
        ) from error


def _members(archive: Path) -> Iterator[_Member]:
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                mode = info.external_attr >> 16
                kind = "a link" if stat.S_ISLNK(mode) else "folder" if info.is_dir() else "file"
                yield _Member(info.filename, kind, opened, info)
        return
    with tarfile.open(archive) as opened_tar:
        for entry in opened_tar:
            link = "a link" if entry.issym() or entry.islnk() else "a device"
            kind = "file" if entry.isreg() else "folder" if entry.isdir() else link
            yield _Member(entry.name, kind, opened_tar, entry)


def _safe(member: _Member, archive: Path) -> Path:
    """Returns where a member goes, below the folder.

    Raises:
        DataError: If it is no plain file or folder, or would lie elsewhere.
    """
    name = member.name
    if member.kind not in ("file", "folder"):
        raise _refused(archive, name, member.kind)
    parts = PurePosixPath(name).parts
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or name[1:2] == ":":
        raise _refused(archive, name, "a path that leads out of it")
    return Path(*parts)


def _refused(archive: Path, name: str, found: str) -> DataError:
    return DataError(
        f"expected an archive of plain files, found {found} in {archive} at {name[:200]!r}; leave "
        f"that member out."
    )
