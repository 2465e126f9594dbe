"""Pictures as people see them."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import io
import struct
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from automl import images, resampling
from automl.errors import ImageError

HEIC = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAA"
    "AAAAAAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABoAABAAAAAAAAAH8AAAAjaWluZgAAAAAAAQAAABVpbmZlAgAA"
    "AAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/GlwcnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34"
    "+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqrprm"
    "4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAA"
    "AChjbGFwAAAAEAAAAAEAAAAIAAAAAf///9AAAAAC////yAAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAA"
    "AAAAAQABBYECAwWEAAAAh21kYXQAAAB7KAGvBjIa0t2AXUCj2+Jo//+eB9D5S5/m/BO998cf//uxUuvN99YNTl5L"
    "5Kr9SyZ8QH+//SlD9HL/0GPm363OivsCIKTR/AiKAl0trdERERZXNGfORNJYZsRHKL1TXE4IIMqwaBwuUMtQnxM3"
    "xphBWEQ7G/ISM74ofMCo"
)
"""16×8 pixels, red on the left and blue on the right, in Base64."""


def encoded(width, height, orientation=1, format_="JPEG"):
    """Returns a picture whose left half is dark and whose right half is bright."""
    pixels = np.full((height, width, 3), 40, np.uint8)
    pixels[:, width // 2 :] = 220
    picture = Image.fromarray(pixels)
    exif = picture.getexif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, format_, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(800, 600, (120, 160, 3)), (100, 400, (160, 40, 3)), (3000, 2, (1, 160, 3))],
)
def test_thumbnail_keeps_proportions(width, height, shape):
    assert images.thumbnail(encoded(width, height), side=160).shape == shape


def test_thumbnail_is_never_larger_than_the_picture():
    assert images.thumbnail(encoded(30, 20, format_="PNG"), side=160).shape == (20, 30, 3)


def test_thumbnail_of_a_picture_on_its_side_stands_up():
    upright = images.thumbnail(encoded(800, 600, orientation=6), side=160)
    assert upright.shape == (160, 120, 3)
    assert upright[:60].mean() < 60  # what was left is at the top
    assert upright[-60:].mean() > 200


@pytest.mark.parametrize("content", [b"", b"no image", encoded(400, 300)[:900]])
def test_thumbnail_of_what_is_no_whole_image(content):
    with pytest.raises(ImageError, match="expected "):
        images.thumbnail(content, side=160)


def test_thumbnail_of_too_many_pixels():
    with pytest.raises(ImageError, match="at most 100 pixels"):
        images.thumbnail(encoded(20, 20), side=16, max_pixels=100)


def saved(image, format_, **options):
    """Returns the encoded picture."""
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def gradient(height=40, width=60):
    """A smooth RGB picture in which every direction looks different."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [255 * x / width, 255 * y / height, 255 * (x + y) / (width + height)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def photo(height=480, width=640):
    """A picture with edges, textures and noise, as photos have them."""
    y, x = np.mgrid[0:height, 0:width]
    generator = np.random.default_rng(0)
    waves = np.stack([np.sin(x / 9 + y / 23), np.sin(x * y / 9000), np.cos(y / 4)], axis=-1)
    waves[height // 3 : height // 2, width // 3 :] *= -1
    noisy = 128 + 90 * waves + generator.normal(0, 8, waves.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def drawing(height=480, width=640):
    """Black lines and letters on white, whose edges a resizing overshoots."""
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    for number in range(0, height, 12):
        draw.line((0, number, width, height - number), fill="black", width=number % 3 + 1)
        draw.text((number, number), "Übung 12345", fill="black")
    return picture


PICTURES = {
    "photo": photo(),
    "drawing": drawing(),
    "noise": Image.fromarray(
        np.random.default_rng(0).integers(0, 2, (223, 225, 3), np.uint8) * np.uint8(255)
    ),
}


def pillow(picture, size):
    """Returns what Pillow makes of a picture resized, as integers."""
    resized = picture.resize(size[::-1], Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(resized).astype(int)


class TestDecode:
    @pytest.mark.parametrize("format_", ["PNG", "BMP", "PPM", "TIFF", "WEBP", "JPEG2000"])
    def test_lossless_formats_are_exact(self, format_):
        options = {"lossless": True} if format_ == "WEBP" else {}
        pixels = images.decode(saved(gradient(), format_, **options))
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, np.asarray(gradient()))

    @pytest.mark.parametrize(
        ("format_", "mode"), [("JPEG", "CMYK"), ("JPEG", "RGB"), ("AVIF", "RGB")]
    )
    def test_photo_formats_are_close(self, format_, mode):
        data = saved(gradient().convert(mode), format_, quality=95)
        difference = images.decode(data).astype(int) - np.asarray(gradient())
        assert np.abs(difference).mean() < 3

    def test_heic_is_read_or_what_reads_it_is_named(self):
        data = base64.b64decode(HEIC)
        if importlib.util.find_spec("pi_heif") is None:
            with pytest.raises(ImageError, match="to be HEIC; install pi-heif"):
                images.decode(data)
            return
        pixels = images.decode(data).astype(int)
        assert images.probe(data).format == "HEIF"
        assert np.abs(pixels[:, :6] - (200, 30, 30)).mean() < 8
        assert np.abs(pixels[:, 10:] - (30, 30, 200)).mean() < 8
        with pytest.raises(ImageError, match="at most 100 pixels"):
            images.decode(data, max_pixels=100)
        with pytest.raises(ImageError, match="cut off"):
            images.decode(data[:300])

    def test_a_file_and_its_bytes_are_the_same(self, tmp_path):
        data = saved(gradient(), "PNG")
        (tmp_path / "called.jpg").write_bytes(data)  # what is inside decides
        for source in (tmp_path / "called.jpg", str(tmp_path / "called.jpg")):
            np.testing.assert_array_equal(images.decode(source), images.decode(data))

    @pytest.mark.parametrize("mode", ["1", "L", "P"])
    def test_few_colours(self, mode):
        image = gradient().convert(mode)
        pixels = images.decode(saved(image, "PNG"))
        np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))

    def test_sixteen_bits_are_scaled_to_eight(self):
        values = np.linspace(0, 65535, 256 * 16).reshape(64, 64)
        data = saved(Image.fromarray(values.astype(np.uint16)), "PNG")
        pixels = images.decode(data)
        assert np.abs(pixels[..., 0] - values / 257).max() <= 1
        assert (pixels == pixels[..., :1]).all()

    def test_eight_bits_stored_as_sixteen_stay(self):
        values = np.arange(256, dtype=np.uint16).reshape(16, 16)
        pixels = images.decode(saved(Image.fromarray(values), "PNG"))
        np.testing.assert_array_equal(pixels[..., 0], values)

    @pytest.mark.parametrize(("top", "scale"), [(1.0, 255.0), (255.0, 1.0)])
    def test_floating_point(self, top, scale):
        values = np.linspace(0, top, 64, dtype=np.float32).reshape(8, 8)
        pixels = images.decode(saved(Image.fromarray(values), "TIFF"))
        assert np.abs(pixels[..., 0] - values * scale).max() <= 1

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
    def test_transparency_is_white(self, mode):
        image = Image.new("RGBA", (8, 8), (0, 0, 0, 255))
        image.paste((0, 0, 0, 0), (0, 0, 4, 8))
        if mode == "P":
            palette = Image.new("P", (8, 8), 1)
            palette.putpalette([255, 0, 0, 0, 0, 0])
            palette.paste(0, (0, 0, 4, 8))
            data = saved(palette, "PNG", transparency=0)
        else:
            data = saved(image.convert(mode), "PNG")
        pixels = images.decode(data)
        assert (pixels[:, :4] == 255).all()
        assert (pixels[:, 4:] == 0).all()

    def test_half_transparent(self):
        data = saved(Image.new("RGBA", (4, 4), (0, 100, 200, 128)), "PNG")
        assert np.abs(images.decode(data).astype(int) - [127, 177, 227]).max() <= 1

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "I;16", "F"])
    def test_large_pictures_are_converted_as_small_ones(self, mode):
        small = np.random.default_rng(0).integers(0, 256, (50, 1000), np.uint8)
        if mode in ("I;16", "F"):
            picture = Image.fromarray(small.astype({"I;16": np.uint16, "F": np.float32}[mode]) * 99)
        else:
            picture = Image.fromarray(small)
            picture.putalpha(Image.fromarray(small[::-1]))
            picture = picture.convert(mode)
        large = Image.new(mode, (1000, 1500))
        if mode == "P":
            large.putpalette(picture.getpalette())
        for top in range(0, 1500, 50):
            large.paste(picture, (0, top))
        format_, options = ("TIFF" if mode == "F" else "PNG"), {}
        if mode == "P":
            options["transparency"] = 7
        expected = images.decode(saved(picture, format_, **options))
        pixels = images.decode(saved(large, format_, **options))
        np.testing.assert_array_equal(pixels, np.tile(expected, (30, 1, 1)))

    def test_one_bright_row_of_a_large_picture_scales_all_of_it(self):
        values = np.full((1500, 1000), 200, np.uint16)
        values[-1] = 65535
        pixels = images.decode(saved(Image.fromarray(values), "PNG"))
        assert (pixels[:-1] == 0).all()
        assert (pixels[-1] == 255).all()

    @pytest.mark.parametrize(
        ("format_", "options", "size", "told"),
        [
            ("JPEG", {}, (20, 30), 100 * 75),
            ("JPEG", {}, None, 800 * 600),
            ("JPEG", {"progressive": True}, (20, 30), 800 * 600),
            ("PNG", {}, (20, 30), 800 * 600),
        ],
    )
    @pytest.mark.parametrize("mode", ["RGB", "L"])
    def test_room_is_asked_for_what_lies_in_memory(self, format_, options, size, told, mode):
        asked = []

        @contextlib.contextmanager
        def room(pixels):
            asked.append(pixels)
            yield

        picture = Image.new(mode, (800, 600))
        images.decode(saved(picture, format_, **options), size, room=room)
        assert asked == [told]

    def test_a_jpeg_of_several_scans_lies_in_memory_as_a_whole(self):
        content = saved(Image.new("RGB", (800, 600)), "JPEG")
        scan = content.index(b"\xff\xda")
        assert content[scan + 2 : scan + 5] == b"\0\x0c\x03"
        components = [content[at : at + 2] for at in range(scan + 5, scan + 11, 2)]
        first = b"\xff\xda\0\x08\x01" + components[0] + content[scan + 11 : scan + 14]
        asked = []

        def room(pixels):
            asked.append(pixels)
            return contextlib.nullcontext()

        with contextlib.suppress(ImageError):
            images.decode(content[:scan] + first + content[scan + 14 :], (20, 30), room=room)
        assert asked == [800 * 600]

    @pytest.mark.parametrize("size", [None, (20, 30)])
    @pytest.mark.parametrize("of_path", [True, False])
    def test_a_jpeg_that_would_take_hours_is_refused(self, tmp_path, size, of_path):
        content = saved(Image.new("RGB", (80, 60)), "JPEG", progressive=True)
        more = 200 - content.count(b"\xff\xda")
        last = content[content.rindex(b"\xff\xda") : -2]
        many, too_many = (
            content[:-2] + number * last + content[-2:] for number in (more, more + 1)
        )
        arithmetic = saved(Image.new("RGB", (80, 60)), "JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1)
        path = tmp_path / "a.jpg"

        def decode(content):
            path.write_bytes(content)
            return images.decode(path if of_path else content, size)

        assert decode(many).shape[2] == 3
        name = "a.jpg" if of_path else "the data"
        with pytest.raises(ImageError, match=rf"{name} with 201 scans; save it anew"):
            decode(too_many)
        with pytest.raises(ImageError, match=rf"{name} with arithmetic coding"):
            decode(arithmetic)

    @pytest.mark.parametrize("more", [b"\xff\xe1\0\x0aExif\0\0ab", b"\xff\xfe\0\x02", b"\xff\xff"])
    def test_so_is_one_of_thousands_of_segments(self, more):
        content = saved(Image.new("RGB", (80, 60)), "JPEG")
        few, many = (content[:2] + number * more + content[2:] for number in (1900, 2000))
        assert images.decode(few).shape == (60, 80, 3)
        with pytest.raises(ImageError, match="found one of thousands of segments; save it anew"):
            images.decode(many)

    @pytest.mark.parametrize("progressive", [True, False])
    @pytest.mark.parametrize("size", [None, (20, 30)])
    def test_of_several_pictures_in_a_file_the_first_counts(self, tmp_path, size, progressive):
        first, others = gradient(64, 96), [Image.new("RGB", (96, 64))] * 30
        options = {"save_all": True, "append_images": others, "progressive": progressive}
        path = tmp_path / "a.jpg"
        path.write_bytes(saved(first, "MPO", **options))
        assert images.probe(path).format == "MPO"
        expected = images.decode(saved(first, "JPEG", progressive=progressive), size)
        for source in (path, path.read_bytes()):
            np.testing.assert_array_equal(images.decode(source, size), expected)

    @pytest.mark.skipif(sys.platform != "linux", reason="a process's peak is read from /proc")
    @pytest.mark.parametrize("mode", ["RGBA", "P", "I;16"])
    def test_little_is_in_memory_beside_the_picture_and_its_rgb(self, tmp_path, mode):
        path = tmp_path / "picture.png"
        options = {"transparency": 0} if mode == "P" else {}
        Image.new(mode, (3000, 4000)).save(path, **options)
        code = """if True:
            import contextlib, pathlib, re, sys
            from automl.images import decode
            def memory(line):
                status = pathlib.Path("/proc/self/status").read_text()
                return 1024 * int(re.findall(line + r":\\s+(\\d+) kB", status)[0])
            @contextlib.contextmanager
            def room(pixels):
                yield
                print(memory("VmRSS") - before)
            content = pathlib.Path(sys.argv[1]).read_bytes()
            pathlib.Path("/proc/self/clear_refs").write_text("5")
            before = memory("VmHWM")
            decode(content, (32, 32), room=room)
            print(memory("VmHWM") - before)
        """
        command = [sys.executable, "-c", code, str(path)]
        told = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
        left, peak = map(int, told.split())
        assert peak < 12 * 3000 * 4000
        assert left < 3 * 3000 * 4000, "room was left with the picture still there"

    def test_an_animation_is_its_first_frame(self):
        frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
        data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
        assert (images.decode(data) == (255, 0, 0)).all()

    @pytest.mark.parametrize("format_", ["JPEG", "PNG"])
    @pytest.mark.parametrize("size", [None, (30, 20), (400, 300)])
    def test_all_orientations_show_the_same_picture(self, format_, size):
        upright = np.asarray(gradient(64, 96))
        # How a camera stores the picture for EXIF's eight orientations.
        stored = {
            1: upright,
            2: upright[:, ::-1],
            3: upright[::-1, ::-1],
            4: upright[::-1],
            5: upright.transpose(1, 0, 2),
            6: np.rot90(upright, 1),
            7: upright[::-1, ::-1].transpose(1, 0, 2),
            8: np.rot90(upright, -1),
        }
        expected = images.decode(saved(gradient(64, 96), format_), size).astype(int)
        for orientation, pixels in stored.items():
            picture = Image.fromarray(np.ascontiguousarray(pixels))
            exif = picture.getexif()
            exif[0x0112] = orientation
            decoded = images.decode(saved(picture, format_, exif=exif), size)
            assert decoded.shape == expected.shape
            assert np.abs(decoded - expected).mean() < 3

    def test_a_damaged_orientation_is_no_reason_to_refuse(self):
        picture = gradient()
        exif = picture.getexif()
        exif[0x0112] = 99
        assert images.decode(saved(picture, "JPEG", exif=exif)).shape == (40, 60, 3)

    def test_the_whole_picture_is_squashed(self):
        pixels = images.decode(saved(gradient(40, 160), "PNG"), (32, 32))
        assert pixels.shape == (32, 32, 3)
        assert pixels[:, 0, 0].max() < 15  # nothing is cropped on the left
        assert pixels[:, -1, 0].min() > 240  # nor on the right

    def test_shrinking_averages(self):
        """Without antialiasing a fine pattern would become a coarse one."""
        pixels = np.indices((256, 256)).sum(axis=0) % 2 * 255
        data = saved(Image.fromarray(pixels.astype(np.uint8)), "PNG")
        small = images.decode(data, (16, 16)).astype(int)
        assert np.abs(small - 127).max() < 12

    @pytest.mark.parametrize("side", [16, 100, 250])
    def test_a_jpeg_at_reduced_scale_looks_the_same(self, side):
        picture = gradient(1200, 1600)
        whole = images.decode(saved(picture, "PNG"), (side, side)).astype(int)
        reduced = images.decode(saved(picture, "JPEG", quality=95), (side, side))
        assert np.abs(reduced - whole).mean() < 1.5
        assert np.abs(reduced - whole).max() < 12

    @pytest.mark.parametrize("resampler", [resampling.RESAMPLER, "pillow"])
    @pytest.mark.parametrize("kind", ["photo", "drawing", "noise"])
    @pytest.mark.parametrize("side", [16, 100, 224, 700])
    def test_resizing_agrees_with_pillow(self, monkeypatch, resampler, kind, side):
        """Models are trained on one machine and serve on another, with or without a wheel."""
        monkeypatch.setattr(resampling, "RESAMPLER", resampler)
        here = images.decode(saved(PICTURES[kind], "PNG"), (side, side + 7))
        difference = np.abs(here - pillow(PICTURES[kind], (side, side + 7)))
        assert difference.max() <= 2
        assert (difference == 0).mean() > 0.95

    @settings(deadline=None)
    @given(
        size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
        wanted=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    )
    def test_every_size_becomes_every_other(self, size, wanted):
        pixels = images.decode(saved(gradient(*size), "PPM"), wanted)
        assert pixels.shape == (*wanted, 3)
        assert np.abs(pixels - pillow(gradient(*size), wanted)).max() <= 2

    def test_pictures_of_one_pixel(self):
        data = saved(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")
        assert (images.decode(data, (8, 8)) == (1, 2, 3)).all()
        assert images.decode(saved(gradient(1, 500), "PNG"), (8, 8)).shape == (8, 8, 3)


class TestWhatCannotBeDecoded:
    @pytest.mark.parametrize(
        ("data", "found"),
        [
            (b"", "the data empty"),
            (b"\0" * 100, "none of these"),
            (b"Dear diary, " * 50, "none of these"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "none of these"),
            (b"%PDF-1.7 ", "none of these"),
            (b"\x89PNG\r\n\x1a\n", "none of these or cut off"),
            (b"\xff\xd8\xff\xe0", "none of these or cut off"),
        ],
    )
    def test_no_image(self, data, found):
        with pytest.raises(ImageError, match=found):
            images.decode(data)
        with pytest.raises(ImageError, match=found):
            images.probe(data)

    def test_postscript_is_not_run(self):
        program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n"
        with pytest.raises(ImageError, match="none of these"):
            images.decode(program)

    @pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
    def test_cut_off_anywhere(self, format_):
        whole = saved(gradient(100, 150), format_)
        for share in (0.05, 0.3, 0.6, 0.9):
            with pytest.raises(ImageError, match="expected ") as error:
                images.decode(whole[: int(len(whole) * share)], (16, 16))
            assert "cut off" in str(error.value)

    @pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged metadata
    @pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
    def test_scrambled_bytes_are_decoded_or_refused(self, format_):
        generator = np.random.default_rng(0)
        whole = np.frombuffer(saved(gradient(20, 30), format_), np.uint8)
        for _ in range(60):
            scrambled = whole.copy()
            places = generator.integers(0, len(whole), 4)
            scrambled[places] = generator.integers(0, 256, 4)
            try:
                assert images.decode(scrambled.tobytes(), (8, 8), 10_000).shape == (8, 8, 3)
            except ImageError as error:
                assert str(error).startswith("expected ")  # noqa: PT017 - either is right

    def test_no_file(self, tmp_path):
        with pytest.raises(ImageError, match="No such file"):
            images.decode(tmp_path / "nowhere.png")
        with pytest.raises(ImageError, match="expected an image"):
            images.decode(tmp_path)

    def test_names_are_told(self, tmp_path):
        (tmp_path / "größe.png").write_bytes(b"letter")
        with pytest.raises(ImageError, match=r"größe\.png to be none"):
            images.decode(tmp_path / "größe.png")

    @pytest.mark.parametrize("act", [images.decode, images.probe])
    def test_a_bomb_is_refused_at_once(self, act):
        data = png_header(20_000, 20_000) + chunk(b"IDAT", zlib.compress(bytes(100_000)))
        tracemalloc.start()
        with pytest.raises(ImageError, match="at most 100,000,000 pixels, found the data"):
            act(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5_000_000

    @pytest.mark.parametrize("size", [(10_001, 10_000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1)])
    def test_every_size_above_the_limit(self, size):
        with pytest.raises(ImageError, match="at most 100,000,000 pixels"):
            images.decode(png_header(*size) + chunk(b"IDAT", b""))

    def test_the_limit_can_be_set(self):
        data = saved(gradient(40, 60), "PNG")
        assert images.decode(data, max_pixels=2400).shape == (40, 60, 3)
        for act in (images.decode, images.probe):
            with pytest.raises(ImageError, match="at most 2,399 pixels, found the data with 60×40"):
                act(data, max_pixels=2399)

    def test_a_text_chunk_that_unpacks_to_much(self):
        text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9))
        data = png_header(4, 4) + text + chunk(b"IDAT", zlib.compress(bytes(4 * 13)))
        try:
            pixels = images.decode(data + chunk(b"IEND", b""))
        except ImageError:
            return
        assert pixels.shape == (4, 4, 3)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)


def test_a_header_says_what_is_stored():
    info = images.probe(saved(gradient().convert("P"), "GIF"))
    assert (info.format, info.width, info.height, info.mode) == ("GIF", 60, 40, "P")
    assert images.probe(encoded(80, 60, orientation=6)).width == 80


def test_an_encoded_png_decodes_to_itself():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(images.decode(images.encode_png(pixels)), pixels)


@pytest.mark.parametrize("error", [RuntimeError, OverflowError, ZeroDivisionError])
def test_whatever_a_decoder_makes_of_damaged_bytes_is_one_sentence(monkeypatch, error):
    def load(self):
        raise error("deep inside")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with pytest.raises(ImageError, match="cut off or damaged"):
        images.decode(encoded(30, 20), (8, 8))
