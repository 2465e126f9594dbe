"""What is told of a JPEG is what is in it, and of other bytes little."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from automl import jpeg


def saved(mode="RGB", format_="JPEG", **options):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 4), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).convert("RGB").convert(mode).save(content, format_, **options)
    return content.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize(
    "options", [{}, {"restart_marker_blocks": 1}, {"comment": b"\xff\xda" * 9}]
)
def test_a_jpeg_as_most_are(mode, options):
    assert jpeg.read(saved(mode, **options)) == jpeg.Jpeg(80 * 60, False, True, 1)


@pytest.mark.parametrize(("mode", "scans"), [("L", 6), ("RGB", 10)])
def test_a_progressive_one(mode, scans):
    content = saved(mode, progressive=True)
    assert jpeg.read(content) == jpeg.Jpeg(80 * 60, False, False, scans)
    assert jpeg.read(content + b"\xff\xda" * 9) == jpeg.read(content), "of what follows it"


def test_one_of_several_scans_though_not_progressive():
    content = saved()
    scan = content.index(b"\xff\xda")
    first = b"\xff\xda\0\x08\x01" + content[scan + 5 : scan + 7] + content[scan + 11 : scan + 14]
    assert jpeg.read(content[:scan] + first + content[scan:]) == jpeg.Jpeg(80 * 60, False, False, 2)


@pytest.mark.parametrize("frame", [0xC9, 0xCA])
def test_arithmetic_coding(frame):
    content = saved().replace(b"\xff\xc0", bytes([0xFF, frame]), 1)
    assert jpeg.read(content).arithmetic


def test_a_beginning_tells_what_is_in_it():
    content = saved()
    frame = content.index(b"\xff\xc0")
    assert jpeg.read(content[:frame]) == jpeg.Jpeg()
    assert jpeg.read(content[: frame + 20]) == jpeg.Jpeg(80 * 60)


@pytest.mark.parametrize(
    ("more", "steps"),
    [(b"", 0), (b"\xff\xe1\0\x02" * 9, 18), (b"\xff" * 9, 9), (b"\xff\xd8" * 9, 18)],
)
def test_each_marker_and_padding_before_the_scan_is_a_step(more, steps):
    content = saved(icc_profile=bytes(200_000))  # in four segments
    assert jpeg.steps(content) < 60
    assert jpeg.steps(content[:2] + more + content[2:]) == jpeg.steps(content) + steps
    assert jpeg.steps(content + more) == jpeg.steps(content)


def test_what_is_no_jpeg_has_no_scans():
    assert jpeg.read(saved(format_="PNG")).by_rows is False
    assert jpeg.read(b"") == jpeg.Jpeg()


@given(st.binary(max_size=200), st.integers(0, 600))
def test_any_bytes_are_read(content, cut):
    markers = b"\xff\xd8" + b"\xff".join(bytes([byte]) for byte in content)
    for damaged in (content, saved()[:cut] + content, markers):
        found = jpeg.read(damaged)
        assert found.scans <= damaged.count(b"\xff\xda")
        assert found.scans == 1 or not found.by_rows
        assert jpeg.read(damaged[:cut]).scans <= found.scans
