"""What the markers of a JPEG say, of which Pillow tells only a part (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""The next one that is no part of the pixels before it."""

_TEMPORARY, _START, _END, _SCAN = 0x01, 0xD8, 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class Jpeg:
    """A picture's coding, as far as it is known.

    Attributes:
        pixels: Width times height; 0 where no frame's header was found.
        arithmetic: Whether its coding is arithmetic: slow however few the bytes, and shown by
            hardly any program.
        by_rows: Whether the first scan has all of each row in one place, so that it is the only
            one; else a decoder holds all detail before it can give a row.
        scans: How many there are in the picture, each of which goes over all of it.
    """

    pixels: int = 0
    arithmetic: bool = False
    by_rows: bool = False
    scans: int = 0


def read(content: bytes) -> Jpeg:
    """Reads markers as far as there are any, up to the first picture's end.

    Args:
        content: The encoded bytes, or the first of them; also of what is no JPEG.
    """
    pixels, arithmetic, progressive, components, scans = 0, False, False, 0, 0
    for marker, _, head in _markers(content):
        if marker in _FRAMES and len(head) == 8:
            pixels = int.from_bytes(head[3:5]) * int.from_bytes(head[5:7])
            components = head[7]
            arithmetic, progressive = marker > 0xC8, marker & 3 == 2
        elif marker == _SCAN:
            scans += 1
            if scans == 1 and not progressive and head[2:3] == bytes([components]):
                return Jpeg(pixels, arithmetic, True, 1)
    return Jpeg(pixels, arithmetic, False, scans)


def steps(content: bytes) -> int:
    """Returns how many bytes of the markers and the padding there are before the first scan.

    Pillow takes each of them, or each two, as a step of its own.
    """
    taken = 0
    for marker, apart, _ in _markers(content):
        taken += apart
        if marker == _SCAN:
            break
    return taken


def _markers(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yields each marker, its bytes with those that lie before it, and the first of its segment."""
    at = 0
    while found := _MARKER.search(content, at):
        marker, apart, at = found[1][0], found.end() - at, found.end()
        if marker == _END:
            return
        head = b"" if marker in (_TEMPORARY, _START) else content[at : at + 8]
        yield marker, apart, head
        if head:
            at += max(2, int.from_bytes(head[:2]))
