"""A workspace's cache: files that only cost time to make again, sound and within a limit.

A cache file is a pair: the content (`NAME.npy`) and beside it `NAME.json`, which holds the
content's checksum and whatever else its maker wants to remember. A file counts as used when it
is written or read; those that were not used for longest go first. What the current run has used
is never removed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from automl.errors import UsageError, WorkspaceError
from automl.files import replacing, write_json

VARIABLE = "AUTOML_CACHE_LIMIT"

SHARE = 0.2
"""The share of the disk, as far as it is free or the cache's own, that the cache may take."""

STALE_SECONDS = 24 * 3600.0
"""A half-written file that nobody has written to for so long has lost its process."""

WHOLE = 2**30
"""Up to so many bytes are checked whole, which takes a third of a second; of larger files, so
many bytes in pieces spread evenly, so that damage to a small part of those can go unnoticed."""

_PIECE = 2**20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO, errno.EEXIST)
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([KMGT])(I)?)?B?\s*\Z", re.IGNORECASE)
_UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class _Entry:
    """The files of one name, their bytes, and when they were last used."""

    files: tuple[Path, ...]
    size: int
    used: float


class Cache:
    """The cache as one run sees it.

    Attributes:
        root: The cache's folder, made when something is kept.
        since: When the run began, as `time.time` gives it.
        limit: The most bytes it may hold.
    """

    def __init__(self, root: Path, since: float, limit: int | None = None) -> None:
        """Looks at the cache in `root`; without a `limit`, the user's or a fifth of the disk.

        Raises:
            UsageError: If the variable AUTOML_CACHE_LIMIT holds no size.
        """
        self.root, self.since = root, since
        self.limit = self._usual_limit() if limit is None else limit
        self._checked: dict[Path, tuple[int, ...]] = {}

    @property
    def pixels(self) -> Path:
        """The folder of decoded images."""
        return self.root / "pixels"

    @property
    def features(self) -> Path:
        """The folder of frozen features and activations."""
        return self.root / "features"

    def size(self) -> int:
        """Returns how many bytes it holds."""
        return sum(entry.size for entry in self._entries().values())

    def fits(self, path: Path, size: int) -> bool:
        """Says whether `path` may hold `size` bytes, beside all else that this run uses."""
        others = self._others(path)
        used = sum(entry.size for entry in others if self._is_used(entry))
        spare = sum(entry.size for entry in others if not self._is_used(entry))
        return used + size <= self.limit and (path.exists() or size <= self._free() + spare)

    def make_room(self, path: Path, size: int) -> bool:
        """Removes what is needed for `path` to hold `size` bytes; nothing if it does not fit."""
        self._sweep()
        if not self.fits(path, size):
            return False
        self._evict(path, size)
        return True

    def require_room(self, path: Path, size: int) -> None:
        """Makes room for what the run cannot do without, past the limit if need be.

        Raises:
            WorkspaceError: If the disk has not so much.
        """
        self._sweep()
        spare = sum(entry.size for entry in self._others(path) if not self._is_used(entry))
        free = self._free() + spare
        if size > free:
            raise WorkspaceError(
                f"expected room on the disk for {readable(size)}, found {readable(free)} left at "
                f"{self.root}; free some or name another place with --workspace DIR."
            )
        self._evict(path, size)

    @contextlib.contextmanager
    def writing(self, path: Path, facts: Mapping[str, Any] | None = None) -> Iterator[IO[bytes]]:
        """Opens a file that takes its place in the cache when the block ends well.

        Args:
            path: The content's path.
            facts: JSON values for `read`, which may be filled in until the block ends.

        Raises:
            WorkspaceError: If the disk is full or may not be written.
        """
        try:
            with replacing(path) as file:
                yield file
            checksum = _checksum(path)
            write_json(path.with_suffix(".json"), {"checksum": checksum, **(facts or {})})
            self._checked[path] = _signature(path)
        except OSError as error:
            if error.errno not in (*_FULL, *_REFUSED):  # whoever fills the file may have others
                raise
            if error.errno in _FULL:
                raise WorkspaceError(
                    f"expected room on the disk, found none left at {path.parent}; free some and "
                    f"retry."
                ) from error
            raise WorkspaceError(
                f"expected a cache that can be written at {path.parent}, found that it "
                f"cannot ({error.strerror}); check it, or delete {self.root}."
            ) from error

    def read(self, path: Path) -> dict[str, Any] | None:
        """Returns what was written beside a sound file, which now counts as used.

        Returns:
            `None` where there is no file, or one that was cut short or altered.
        """
        listing = path.with_suffix(".json")
        try:
            facts: dict[str, Any] = json.loads(listing.read_text(encoding="utf-8"))
            written = facts["checksum"]
            if self._checked.get(path) != _signature(path) and written != _checksum(path):
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        with contextlib.suppress(OSError):  # it may be another user's
            os.utime(path)
            os.utime(listing)
        with contextlib.suppress(OSError):
            self._checked[path] = _signature(path)
        return facts

    def _usual_limit(self) -> int:
        text = os.environ.get(VARIABLE)
        return parse_size(text, VARIABLE) if text else int(SHARE * (self._free() + self.size()))

    def _free(self) -> int:
        folders = (self.root, *self.root.parents)
        return shutil.disk_usage(next(folder for folder in folders if folder.is_dir())).free

    def _entries(self) -> dict[str, _Entry]:
        """Returns what the cache holds, by folder and name without suffix."""
        found: dict[str, _Entry] = {}
        for path in self.root.glob("*/*"):
            with contextlib.suppress(OSError):  # another run has removed it
                stat, name = path.lstat(), _name(path)
                entry = found.get(name, _Entry((), 0, 0.0))
                found[name] = _Entry(
                    (*entry.files, path),
                    entry.size + stat.st_size,
                    max(entry.used, stat.st_mtime),
                )
        return found

    def _others(self, path: Path) -> list[_Entry]:
        return [entry for name, entry in self._entries().items() if name != _name(path)]

    def _is_used(self, entry: _Entry) -> bool:
        return entry.used >= self.since or entry.files[0].name.startswith(".")

    def _evict(self, path: Path, size: int) -> None:
        """Removes the least recently used, until the limit and the disk have room for `size`."""
        others = self._others(path)
        held, free = sum(entry.size for entry in others), self._free()
        for entry in sorted(others, key=lambda entry: entry.used):
            if held + size <= self.limit and size <= free:
                break
            if not self._is_used(entry):
                _remove(entry.files)
                held, free = held - entry.size, free + entry.size

    def _sweep(self) -> None:
        """Removes what processes that are gone have left half-written."""
        for entry in self._entries().values():
            if entry.files[0].name.startswith(".") and time.time() - entry.used > STALE_SECONDS:
                _remove(entry.files)


def parse_size(text: str, variable: str) -> int:
    """Returns the bytes of a size such as `20GB`, `500 MB` or `1.5GiB`, found in `variable`.

    Raises:
        UsageError: If it is none.
    """
    match = _SIZE.match(text)
    if match is None:
        raise UsageError(
            f"expected a size such as 20GB or 500MB in {variable}, found {text!r}; correct it."
        )
    number, unit, binary = match.groups()
    power = "KMGT".index(unit.upper()) + 1 if unit else 0
    return int(float(number) * (1024 if binary else 1000) ** power)


def readable(size: float) -> str:
    """Returns bytes in the units that `parse_size` understands."""
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def _name(path: Path) -> str:
    # A half-written file's suffix is random, and its name an entry of its own.
    return str(path if path.name.startswith(".") else path.with_suffix(""))


def _remove(files: tuple[Path, ...]) -> None:
    for path in files:
        with contextlib.suppress(OSError):
            path.unlink()


def _signature(path: Path) -> tuple[int, ...]:
    """Returns what changes when a file is written to, so that it is checked once a process."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _checksum(path: Path) -> str:
    """Returns the size and the CRC-32 (3 GB a second) of a file, or of pieces of a large one."""
    size, total = path.stat().st_size, 0
    step = _PIECE * max(1, -(-size // WHOLE))
    buffer = memoryview(bytearray(_PIECE))
    with path.open("rb", buffering=0) as file:
        for start in range(0, size, step):
            file.seek(start)
            total = zlib.crc32(buffer[: file.readinto(buffer)], total)
    return f"{size}-{total:08x}"
