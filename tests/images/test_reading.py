"""Files made by Pillow, OpenCV and tifffile; what we read is compared with what they were made from."""

import io
import struct
import sys
import warnings
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageFile, ImageOps

from holding import ICC, XMP, cmyk_profile
from inpaint.errors import InputError, MissingDependencyError
from inpaint.images.reading import read_photo, read_rgb, read_stored
from inpaint.images.writing import write_photo


def opened(path):
    """Pillow's view of a file, without keeping the file open."""
    return Image.open(io.BytesIO(path.read_bytes()))


def noise(height, width, channels, dtype=np.uint8, seed=0):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def deep_png(values, *extra_chunks):
    """A 16-bit PNG written by the specification without any filter."""
    height, width = values.shape[:2]
    values = values.reshape(height, width, -1)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[values.shape[2]], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [
        png_chunk(b"IHDR", header),
        *extra_chunks,
        png_chunk(b"IDAT", zlib.compress(rows)),
        png_chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *[(mode, ".png") for mode in ("1", "L", "LA", "RGB", "RGBA")],
        *[(mode, ".tif") for mode in ("L", "RGB", "RGBA")],
        *[(mode, ".bmp") for mode in ("L", "RGB")],
        *[(mode, ".jpg") for mode in ("L", "RGB")],
        *[(mode, ".webp") for mode in ("RGB", "RGBA")],
    ],
)
def test_eight_bit_files_are_read_as_pillow_reads_them(tmp_path, mode, suffix):
    path = tmp_path / f"a{suffix}"
    channels = len(mode.replace("1", "L"))
    Image.fromarray(noise(9, 14, channels)).convert(mode).save(path)
    expected = opened(path)
    photo = read_photo(path)
    assert photo.pixels.dtype == np.uint8
    assert np.array_equal(photo.pixels, np.asarray(expected.convert("RGB")))
    assert photo.gray == (mode in ("L", "LA", "1"))
    assert (photo.alpha is not None) == mode.endswith("A")
    if photo.alpha is not None:
        assert np.array_equal(photo.alpha, np.asarray(expected.getchannel("A")))
    assert np.array_equal(read_rgb(path), photo.pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_png_is_read_to_the_last_bit(tmp_path, channels):
    values = noise(7, 11, channels, np.uint16)
    (tmp_path / "a.png").write_bytes(deep_png(values))
    photo = read_photo(tmp_path / "a.png")
    values = values.reshape(7, 11, channels)
    assert photo.pixels.dtype == np.uint16
    assert np.array_equal(photo.pixels, values[..., :3] if channels > 2 else np.repeat(values[..., :1], 3, axis=2))
    assert (photo.alpha is None) if channels in (1, 3) else np.array_equal(photo.alpha, values[..., -1])
    assert photo.gray == (channels < 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_color_of_a_sixteen_bit_png_becomes_alpha(tmp_path, channels):
    values = noise(5, 6, channels, np.uint16)
    key = np.atleast_1d(values[2, 3])
    (tmp_path / "a.png").write_bytes(deep_png(values, png_chunk(b"tRNS", key.astype(">u2").tobytes())))
    photo = read_photo(tmp_path / "a.png")
    expected = np.full((5, 6), 65535)
    expected[2, 3] = 0
    assert np.array_equal(photo.alpha, expected)
    assert np.array_equal(photo.pixels[..., 0], values.reshape(5, 6, -1)[..., 0])


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_tiff_is_read_to_the_last_bit(tmp_path, channels, compression):
    values = noise(7, 11, channels, np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif",
        values,
        photometric="minisblack" if channels < 3 else "rgb",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression=compression,
    )
    photo = read_photo(tmp_path / "a.tif")
    values = values.reshape(7, 11, channels)
    assert photo.pixels.dtype == np.uint16
    assert np.array_equal(photo.pixels, values[..., :3] if channels > 2 else np.repeat(values[..., :1], 3, axis=2))
    assert (photo.alpha is None) if channels in (1, 3) else np.array_equal(photo.alpha, values[..., -1])


def test_sixteen_bit_tiff_with_lzw_planes_apart_and_white_as_zero_are_read(tmp_path):
    values = noise(7, 11, 3, np.uint16)
    cv2.imwrite(str(tmp_path / "lzw.tif"), values[..., ::-1])
    tifffile.imwrite(tmp_path / "planes.tif", np.moveaxis(values, -1, 0), photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "white.tif", values[..., 0], photometric="miniswhite")
    assert np.array_equal(read_photo(tmp_path / "lzw.tif").pixels, values)
    assert np.array_equal(read_photo(tmp_path / "planes.tif").pixels, values)
    assert np.array_equal(read_photo(tmp_path / "white.tif").pixels[..., 1], 65535 - values[..., 0])


def test_training_pixels_of_deep_files_are_scaled_by_the_ratio_of_whites(tmp_path):
    values = noise(7, 11, 3, np.uint16)
    (tmp_path / "a.png").write_bytes(deep_png(values))
    assert np.array_equal(read_rgb(tmp_path / "a.png"), np.rint(values / 65535 * 255).astype(np.uint8))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_a_palette_is_resolved_to_its_colors(tmp_path, suffix):
    image = Image.fromarray(noise(9, 14, 3)).quantize(7)
    image.save(tmp_path / f"a{suffix}")
    photo = read_photo(tmp_path / f"a{suffix}")
    assert np.array_equal(photo.pixels, np.asarray(image.convert("RGB")))
    assert photo.alpha is None


@pytest.mark.parametrize("transparency", [2, bytes([255, 0, 128, 255, 255, 255, 255])])
def test_transparent_palette_entries_become_alpha(tmp_path, transparency):
    image = Image.fromarray(noise(9, 14, 3)).quantize(7)
    image.save(tmp_path / "a.png", transparency=transparency)
    indices = np.asarray(image)
    table = np.full(256, 255)
    if isinstance(transparency, int):
        table[transparency] = 0
    else:
        table[: len(transparency)] = list(transparency)
    photo = read_photo(tmp_path / "a.png")
    assert np.array_equal(photo.alpha, table[indices])
    assert np.array_equal(photo.pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_without_profile_becomes_rgb_by_the_plain_formula(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    flat = np.full((16, 24, 4), (10, 200, 60, 30), np.uint8)
    Image.fromarray(flat, "CMYK").save(path, quality=100) if suffix == ".jpg" else Image.fromarray(flat, "CMYK").save(
        path
    )
    ink = 1 - flat[0, 0] / 255
    expected = 255 * ink[:3] * ink[3]
    photo = read_photo(path)
    assert np.abs(photo.pixels - expected).max() <= 2
    assert photo.icc is None
    assert not photo.gray


def test_a_cmyk_profile_is_applied_and_does_not_go_into_the_rgb_file(tmp_path):
    cyan = Image.fromarray(np.full((16, 24, 4), (255, 0, 0, 0), np.uint8), "CMYK")
    cyan.save(tmp_path / "a.tif", icc_profile=cmyk_profile())
    photo = read_photo(tmp_path / "a.tif")
    # The profile says L = 66.7 without color; sRGB of that is 162 (CIE Y = 0.362).
    assert np.abs(photo.pixels.astype(int) - 162).max() <= 2
    assert photo.icc is None


def test_a_damaged_cmyk_profile_is_left_out_aloud(tmp_path, caplog):
    cyan = Image.fromarray(np.full((16, 24, 4), (255, 0, 0, 0), np.uint8), "CMYK")
    cyan.save(tmp_path / "a.tif", icc_profile=cmyk_profile()[:200])
    photo = read_photo(tmp_path / "a.tif")
    assert (photo.pixels == (0, 255, 255)).all()
    write_photo(photo, tmp_path / "b.tif")
    assert "b.tif: not kept: CMYK with a profile that cannot be used (written as RGB)" in caplog.text


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_rotated_files_come_upright_and_say_so(tmp_path, orientation, suffix):
    path = tmp_path / f"a{suffix}"
    exif = Image.Exif()
    exif[0x112] = orientation
    exif[0x10E] = "a title"
    Image.fromarray(noise(16, 24, 3)).save(path, exif=exif)
    upright = ImageOps.exif_transpose(opened(path))
    photo = read_photo(path)
    assert np.array_equal(photo.pixels, np.asarray(upright))
    assert np.array_equal(read_rgb(path), photo.pixels)
    kept = Image.Exif()
    kept.load(photo.exif)
    assert kept[0x112] == 1
    assert kept[0x10E] == "a title"


def test_a_rotated_deep_tiff_comes_upright(tmp_path):
    values = noise(5, 8, 3, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    assert np.array_equal(read_photo(tmp_path / "a.tif").pixels, np.rot90(values, -1))


def test_camera_settings_survive_and_the_thumbnail_does_not(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x9003: "2020:01:02 03:04:05", 0xA002: 999})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 0.0)})
    Image.fromarray(noise(16, 24, 3)).save(tmp_path / "a.jpg", exif=exif)
    kept = Image.Exif()
    kept.load(read_photo(tmp_path / "a.jpg").exif)
    assert kept.get_ifd(0x8769) == {0x9003: "2020:01:02 03:04:05"}
    assert kept.get_ifd(0x8825)[1] == "N"
    assert not kept.get_ifd(0x201)


def test_the_profile_is_kept_byte_for_byte(tmp_path):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("a.png", "a.jpg", "a.webp", "a.tif"):
        Image.fromarray(noise(16, 24, 3)).save(tmp_path / name, icc_profile=icc)
        assert read_photo(tmp_path / name).icc == icc


def test_the_content_decides_the_format_not_the_name(tmp_path):
    values = noise(9, 14, 3)
    Image.fromarray(values).save(tmp_path / "really_png.jpg", format="PNG")
    assert np.array_equal(read_photo(tmp_path / "really_png.jpg").pixels, values)


def test_further_frames_are_left_out_aloud(tmp_path, caplog):
    frames = [Image.fromarray(noise(9, 14, 3, seed=seed)) for seed in (0, 1)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    assert np.array_equal(read_photo(tmp_path / "a.tif").pixels, np.asarray(frames[0]))
    assert "has 2 pages or frames; the first is used" in caplog.text


def saved(tmp_path, suffix, dtype):
    path = tmp_path / f"whole{suffix}"
    values = noise(40, 50, 3, dtype)
    if dtype == np.uint16:
        path.write_bytes(deep_png(values)) if suffix == ".png" else tifffile.imwrite(path, values, photometric="rgb")
    else:
        Image.fromarray(values).save(path)
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.03, 0.3, 0.97])
@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(each, np.uint8) for each in (".jpg", ".png", ".webp", ".tif", ".bmp")]
    + [(".png", np.uint16), (".tif", np.uint16)],
)
def test_a_truncated_file_is_refused_by_name(tmp_path, suffix, dtype, share):
    data = saved(tmp_path, suffix, dtype)
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    for read in (read_photo, read_rgb):
        with pytest.raises(InputError, match=rf"cannot read '.*cut{suffix}': damaged or truncated"):
            read(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"just some text\n", r"its content is not an image \(JPEG, PNG, WebP, TIFF, BMP, AVIF, HEIC\)"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "its content is not an image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "damaged or truncated"),
        (b"II*\0" + b"\xff" * 40, "damaged or truncated"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(tmp_path, content, reason):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=rf"cannot read '.*a\.png': {reason}") as caught:
        read_photo(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


def test_missing_files_folders_and_exotic_tiffs_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_photo(tmp_path / "a.png")
    with pytest.raises(InputError, match="is a folder"):
        read_photo(tmp_path)
    tifffile.imwrite(tmp_path / "f.tif", np.zeros((8, 9), np.int16))
    with pytest.raises(InputError, match="16-bit signed values is not supported"):
        read_photo(tmp_path / "f.tif")


def test_a_header_that_claims_too_much_is_refused_before_decoding(tmp_path):
    header = struct.pack(">IIBBBBB", 20_000, 10_000, 8, 2, 0, 0, 0)
    tiny = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"\0" * 9)) + png_chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + tiny)
    bmp = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 20_000, 10_000, 1, 24, 0, 0, 0, 0, 0, 0)
    (tmp_path / "a.bmp").write_bytes(bmp)
    for name in ("a.png", "a.bmp"):
        with pytest.raises(InputError, match=r"claims 20000 x 10000 pixels, more than the limit of 100,000,000"):
            read_photo(tmp_path / name)


def test_the_limit_is_the_callers(tmp_path):
    Image.fromarray(noise(9, 14, 3)).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png", max_pixels=126).width == 14
    with pytest.raises(InputError, match="more than the limit of 125"):
        read_photo(tmp_path / "a.png", max_pixels=125)


def test_large_images_within_the_limit_are_read_without_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    Image.fromarray(noise(9, 14, 3)).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_photo(tmp_path / "a.png").height == 9


# What is refused by name ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"GIF89a" + bytes(20), "GIF"),
        (b"8BPS\0\1" + bytes(20), r"Photoshop \(PSD\)"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "JPEG XL"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(20), r"raw \(Canon CR2\)"),
        (b"FUJIFILMCCD-RAW 0201", r"raw \(Fujifilm RAF\)"),
    ],
)
def test_formats_that_are_not_read_are_refused_by_their_name(tmp_path, content, kind):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match=rf"cannot read '.*a\.jpg': it is a {kind} file, which is not supported"):
        read_photo(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", [".webp", ".png", ".avif"])
def test_an_animation_is_refused_unless_its_first_frame_is_asked_for(tmp_path, caplog, suffix):
    frames = [Image.fromarray(noise(16, 24, 3, seed=seed)) for seed in range(3)]
    options = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], duration=100, **options)
    with pytest.raises(InputError, match="it is an animation of 3 frames; --first-page takes the first alone"):
        read_photo(tmp_path / f"a{suffix}", first_page=False)
    photo = read_photo(tmp_path / f"a{suffix}")
    assert suffix == ".avif" or np.array_equal(photo.pixels, np.asarray(frames[0]))
    assert "has 3 pages or frames; the first is used" in caplog.text


def test_avif_is_read_as_pillow_reads_it_and_upright(tmp_path):
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(noise(16, 24, 4)).save(tmp_path / "a.avif", exif=exif)
    photo = read_photo(tmp_path / "a.avif")
    expected = np.asarray(ImageOps.exif_transpose(opened(tmp_path / "a.avif")))
    assert photo.pixels.shape == (24, 16, 3)
    assert np.array_equal(photo.pixels, expected[..., :3])
    assert np.array_equal(photo.alpha, expected[..., 3])


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_heic_without_its_package_says_what_to_install(tmp_path, monkeypatch, brand):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(4) + b"mif1heic" + bytes(40))
    with pytest.raises(
        MissingDependencyError, match=r"reading '.*a\.heic' \(HEIC\) needs .*pytorch-inpaint\[formats\]"
    ):
        read_photo(tmp_path / "a.heic")


def test_heic_is_read_by_the_class_of_its_package(tmp_path, monkeypatch, caplog):
    values = noise(16, 24, 3)

    class HeifImageFile(ImageFile.ImageFile):
        """What pillow-heif offers Pillow, for a file whose pixels nobody has to decode."""

        format = "HEIF"

        def _open(self):
            self._size, self._mode, self.tile = (24, 16), "RGB", []
            self.im = Image.fromarray(values).im

    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(HeifImageFile=HeifImageFile))
    meta = bytes(4) + b"iref" + b"thmb" + b"hvcC" + bytes(17) + b"\xfa" + bytes(8)
    boxes = b"\0\0\0\x18ftypheic" + bytes(4) + b"mif1heic" + struct.pack(">I", len(meta) + 8) + b"meta" + meta
    (tmp_path / "a.heic").write_bytes(boxes)
    photo = read_photo(tmp_path / "a.heic")
    assert np.array_equal(photo.pixels, values)
    write_photo(photo, tmp_path / "a.png")
    assert "not kept: 10 bit (read as 8); left out, since they may show what was there: a thumbnail" in caplog.text


def test_what_was_read_is_shown_in_one_line(tmp_path):
    Image.new("RGB", (12, 10), "red").save(tmp_path / "a.png")
    assert repr(read_photo(tmp_path / "a.png")).startswith("Photo(pixels=uint8 (10, 12, 3), gray=False, path=")
    assert repr(read_stored(tmp_path / "a.png")) == "MaskSamples(values=uint8 (10, 12, 3), lossy=False)"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_heic_comes_and_goes_with_what_it_holds(tmp_path, caplog, mode):
    heif = pytest.importorskip("pillow_heif", reason="of the extra 'formats'")
    heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x10E], exif[0x112] = "a title", 6
    photo = Image.fromarray(noise(32, 48, 3) // 8 + 100).convert(mode)
    photo.save(tmp_path / "a.heic", exif=exif.tobytes(), icc_profile=ICC, xmp=XMP, quality=100, thumbnails=[16])
    expected = np.asarray(opened(tmp_path / "a.heic").convert("RGB"))
    read = read_photo(tmp_path / "a.heic", first_page=False)
    assert read.pixels.shape == (48, 32, 3)
    assert np.array_equal(read.pixels, expected)
    assert (read.alpha is not None) == (mode == "RGBA")
    for suffix in (".heic", ".png"):
        write_photo(read, tmp_path / f"b{suffix}", quality=100)
        back = opened(tmp_path / f"b{suffix}")
        assert (back.size, back.getexif()[0x10E], back.getexif().get(0x112, 1)) == ((32, 48), "a title", 1)
        assert back.info["icc_profile"] == ICC
        assert b"equirectangular" in (tmp_path / f"b{suffix}").read_bytes()
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "left out, since they may show what was there: a thumbnail"
    ] * 2
    (tmp_path / "c.heic").write_bytes((tmp_path / "a.heic").read_bytes()[:300])
    with pytest.raises(InputError, match="damaged or truncated"):
        read_photo(tmp_path / "c.heic")


def test_several_images_of_a_heic_are_refused_or_the_first_is_taken(tmp_path, caplog):
    heif = pytest.importorskip("pillow_heif", reason="of the extra 'formats'")
    heif.register_heif_opener()
    first = Image.fromarray(noise(32, 48, 3))
    first.save(tmp_path / "a.heic", save_all=True, append_images=[first.rotate(180)], quality=100)
    with pytest.raises(InputError, match="2 frames; --first-page takes the first alone"):
        read_photo(tmp_path / "a.heic", first_page=False)
    assert read_photo(tmp_path / "a.heic").pixels.shape == (32, 48, 3)
    assert "has 2 pages or frames; the first is used" in caplog.text


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_gray_that_a_png_declares_transparent_is_so_at_every_depth(tmp_path, bits, interlaced):
    height, width, top = 9, 16, 2**bits - 1
    values = (np.arange(height * width).reshape(height, width) * 7) % (top + 1)
    key = int(values[3, 5])

    def packed(part):
        rows = part.astype(">u2").view(np.uint8).reshape(len(part), -1, 2)
        if bits == 16:
            return b"".join(b"\0" + row.tobytes() for row in rows)
        digits = np.unpackbits(rows[..., 1:], axis=2)[..., 8 - bits :]
        return b"".join(b"\0" + np.packbits(row).tobytes() for row in digits.reshape(len(part), -1))

    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [values[y::rows, x::columns] for y, x, rows, columns in passes] if interlaced else [values]
    body = zlib.compress(b"".join(packed(part) for part in parts if part.size))
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, interlaced)
    chunks = [(b"IHDR", header), (b"tRNS", struct.pack(">H", key)), (b"IDAT", body), (b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*each) for each in chunks))
    photo = read_photo(tmp_path / "a.png")
    white = 65535 if bits == 16 else 255
    assert np.array_equal(photo.pixels[..., 0], values * white // top)
    assert np.array_equal(photo.alpha == 0, values == key)


def test_an_index_without_a_color_is_black_and_stays_an_index(tmp_path, caplog):
    indices = np.arange(64, dtype=np.uint8).reshape(8, 8) % 4
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in indices))
    colors = bytes([200, 10, 10, 10, 200, 10])
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 3, 0, 0, 0)),
        (b"PLTE", colors),
        (b"IDAT", rows),
        (b"IEND", b""),
    ]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*each) for each in chunks))
    photo = read_photo(tmp_path / "a.png")
    assert np.array_equal(photo.pixels, np.array([(200, 10, 10), (10, 200, 10), (0, 0, 0), (0, 0, 0)])[indices])
    write_photo(photo, tmp_path / "b.png")
    assert np.array_equal(np.asarray(opened(tmp_path / "b.png")), indices)
    assert caplog.messages == []


def test_the_further_frames_of_a_deep_animation_are_spoken_of(tmp_path, caplog):
    frame = zlib.compress(b"".join(b"\0" + bytes(16 * 6) for _ in range(16)))
    control = lambda number: struct.pack(">5I2H2B", number, 16, 16, 0, 0, 1, 10, 0, 0)  # noqa: E731
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)), (b"acTL", struct.pack(">II", 2, 0))]
    chunks += [(b"fcTL", control(0)), (b"IDAT", frame), (b"fcTL", control(1)), (b"fdAT", b"\0\0\0\2" + frame)]
    chunks += [(b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*each) for each in chunks))
    with pytest.raises(InputError, match="animation of 2 frames"):
        read_photo(tmp_path / "a.png", first_page=False)
    assert read_photo(tmp_path / "a.png").pixels.dtype == np.uint16
    assert "has 2 pages or frames; the first is used" in caplog.text
