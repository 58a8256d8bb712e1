"""What is written is read back by Pillow, OpenCV and tifffile, not by ourselves."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from inpaint.errors import InpaintError, InputError, UsageError
from inpaint.images.photo import Photo
from inpaint.images.reading import read_photo
from inpaint.images.writing import copy_photo, write_photo

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def opened(path):
    """Pillow's view of a file, without keeping the file open."""
    return Image.open(io.BytesIO(path.read_bytes()))


def exif_bytes():
    exif = Image.Exif()
    exif[0x10E] = "a title"
    exif[0x112] = 1
    return exif.tobytes().removeprefix(b"Exif\0\0")


def photo_of(dtype, *, gray=False, alpha=False, height=9, width=14, **fields):
    rng = np.random.default_rng(1)
    top = np.iinfo(dtype).max + 1
    pixels = rng.integers(0, top, (height, width, 3)).astype(dtype)
    if gray:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    plane = rng.integers(0, top, (height, width)).astype(dtype) if alpha else None
    return Photo(pixels=pixels, alpha=plane, gray=gray, **fields)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp"])
def test_eight_bit_photos_are_written_without_loss(tmp_path, suffix, gray, alpha):
    alpha = alpha and suffix != ".bmp"
    photo = photo_of(np.uint8, gray=gray, alpha=alpha)
    write_photo(photo, tmp_path / f"a{suffix}", quality=100)
    back = opened(tmp_path / f"a{suffix}")
    assert back.mode == ("L" if gray and suffix != ".webp" else "RGB") + ("A" if alpha else "")
    # asarray of RGBA, not convert: transparent pixels keep their colors
    values = np.asarray(back).reshape(9, 14, -1)
    assert np.array_equal(values[..., 0], photo.pixels[..., 0])
    if back.mode.startswith("RGB"):
        assert np.array_equal(values[..., :3], photo.pixels)
    if alpha:
        assert np.array_equal(values[..., -1], photo.alpha)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("gray", [False, True])
def test_deep_png_is_written_to_the_last_bit(tmp_path, gray, alpha):
    photo = photo_of(np.uint16, gray=gray, alpha=alpha, icc=ICC, exif=exif_bytes())
    write_photo(photo, tmp_path / "a.png")
    back = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert back.dtype == np.uint16
    back = back.reshape(9, 14, -1)
    if back.shape[2] >= 3:
        assert np.array_equal(back[..., 2::-1], photo.pixels)
    else:
        assert np.array_equal(back[..., 0], photo.pixels[..., 0])
    if alpha:
        assert np.array_equal(back[..., -1], photo.alpha)
    header = opened(tmp_path / "a.png")
    assert header.info["icc_profile"] == ICC
    assert header.getexif()[0x10E] == "a title"


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("gray", [False, True])
def test_deep_tiff_is_written_to_the_last_bit(tmp_path, gray, alpha):
    photo = photo_of(np.uint16, gray=gray, alpha=alpha, icc=ICC, exif=exif_bytes(), height=70)
    write_photo(photo, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[0]
        back = page.asarray().reshape(70, 14, -1)
        assert bytes(page.tags.valueof(34675)) == ICC
        assert page.tags.valueof(0x10E) == "a title"
    assert back.shape[2] == (1 if gray else 3) + alpha
    assert np.array_equal(back[..., 0], photo.pixels[..., 0])
    if not gray:
        assert np.array_equal(back[..., :3], photo.pixels)
        assert np.array_equal(cv2.imread(str(tmp_path / "a.tif"), cv2.IMREAD_UNCHANGED)[..., 2::-1], photo.pixels)
    if alpha:
        assert np.array_equal(back[..., -1], photo.alpha)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_profile_and_exif_go_along(tmp_path, name):
    exif = Image.Exif()
    exif[0x10E] = "a title"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:02 03:04:05"
    photo = photo_of(np.uint8, icc=ICC, exif=exif.tobytes().removeprefix(b"Exif\0\0"))
    write_photo(photo, tmp_path / name)
    back = opened(tmp_path / name)
    assert back.info["icc_profile"] == ICC
    assert back.getexif()[0x10E] == "a title"
    assert back.getexif().get_ifd(0x8769)[0x9003] == "2020:01:02 03:04:05"


@pytest.mark.parametrize(
    ("name", "dtype", "alpha", "lost"),
    [
        ("a.jpg", np.uint8, True, "JPEG cannot hold alpha: lost"),
        ("a.jpg", np.uint16, True, "JPEG cannot hold alpha and 16 bit (scaled to 8): lost"),
        ("a.webp", np.uint16, True, "WebP cannot hold 16 bit (scaled to 8): lost"),
        ("a.bmp", np.uint16, True, "BMP cannot hold alpha and 16 bit (scaled to 8) and the ICC profile and EXIF: lost"),
        ("a.png", np.uint16, True, None),
        ("a.tif", np.uint16, True, None),
        ("a.webp", np.uint8, True, None),
        ("a.jpg", np.uint8, False, None),
    ],
)
def test_a_warning_names_exactly_what_the_format_cannot_hold(tmp_path, caplog, name, dtype, alpha, lost):
    photo = photo_of(dtype, alpha=alpha, icc=ICC, exif=exif_bytes())
    write_photo(photo, tmp_path / name)
    assert [record.getMessage() for record in caplog.records] == ([f"{tmp_path / name}: {lost}"] if lost else [])


def test_depth_is_reduced_by_the_ratio_of_whites(tmp_path):
    photo = photo_of(np.uint16)
    write_photo(photo, tmp_path / "a.bmp")
    assert np.array_equal(np.asarray(opened(tmp_path / "a.bmp")), np.rint(photo.pixels / 257).astype(np.uint8))


def test_a_gray_profile_does_not_reach_a_file_that_has_no_gray(tmp_path, caplog):
    profile = ICC[:16] + b"GRAY" + ICC[20:]
    write_photo(photo_of(np.uint8, gray=True, icc=profile), tmp_path / "a.webp")
    assert "icc_profile" not in opened(tmp_path / "a.webp").info
    assert "the ICC profile" in caplog.text


def test_quality_changes_size_and_error_of_jpeg(tmp_path):
    y, x = np.mgrid[0:64, 0:80]
    pixels = np.stack([x * 3, y * 3, x + y], axis=-1).astype(np.uint8)
    sizes, errors = [], []
    for quality in (30, 60, 90, 100):
        write_photo(Photo(pixels=pixels), tmp_path / "a.jpg", quality=quality)
        sizes.append((tmp_path / "a.jpg").stat().st_size)
        errors.append(np.abs(np.asarray(opened(tmp_path / "a.jpg")).astype(int) - pixels).mean())
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)


def test_an_unknown_suffix_and_quality_are_refused_with_what_is_valid(tmp_path):
    with pytest.raises(UsageError, match=r"unknown suffix '\.gif'.* valid: \.avif, \.bmp, \.heic"):
        write_photo(photo_of(np.uint8), tmp_path / "a.gif")
    with pytest.raises(UsageError, match="quality must be from 1 to 100, got 0"):
        write_photo(photo_of(np.uint8), tmp_path / "a.jpg", quality=0)
    assert list(tmp_path.iterdir()) == []


def test_an_image_too_long_for_the_format_is_refused(tmp_path):
    with pytest.raises(InputError, match="WebP holds at most 16383 pixels a side, the image has 16384 x 8"):
        write_photo(photo_of(np.uint8, height=8, width=16384), tmp_path / "a.webp")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_encoder_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fill_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fill_disk)
    with pytest.raises(InpaintError, match=r"cannot write '.*a\.png': No space left on device"):
        write_photo(photo_of(np.uint8), path)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_fill_changes_the_hole_alone_and_rounds_to_nearest(dtype):
    photo = photo_of(dtype, alpha=True)
    hole = np.zeros((9, 14), bool)
    hole[2:5, 3:9] = True
    white = np.iinfo(dtype).max
    completed = np.full((9, 14, 3), 100.4 / white, np.float32)
    completed[..., 1] = 100.6 / white
    completed[..., 2] = 1.7
    filled = photo.with_fill(completed, hole)
    assert np.array_equal(filled.pixels[~hole], photo.pixels[~hole])
    assert (filled.pixels[hole] == (100, 101, white)).all()
    assert filled.alpha is photo.alpha


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_array_and_back_is_exact_for_every_level(dtype):
    count = np.iinfo(dtype).max + 1
    levels = np.arange(count, dtype=dtype).reshape(16, -1)
    photo = Photo(pixels=np.repeat(levels[..., None], 3, axis=2))
    array = photo.array()
    assert array.shape == (*levels.shape, 3)
    assert array.dtype == np.float32
    assert (array.min(), array.max()) == (0, 1)
    back = photo.with_fill(array, np.ones(levels.shape, bool))
    assert np.array_equal(back.pixels, photo.pixels)


def test_gray_photos_stay_gray_by_the_luma_of_the_fill():
    photo = photo_of(np.uint8, gray=True)
    completed = np.broadcast_to(np.float32([1, 0, 0]), (9, 14, 3))
    filled = photo.with_fill(completed, np.ones((9, 14), bool))
    assert (filled.pixels == np.asarray(Image.new("RGB", (1, 1), (255, 0, 0)).convert("L"))[0, 0]).all()


def test_wrong_shapes_are_refused():
    with pytest.raises(InputError, match=r"\(H, W, 3\)"):
        Photo(pixels=np.zeros((4, 5), np.uint8))
    with pytest.raises(InputError, match="uint8, uint16, float32 or float64"):
        Photo(pixels=np.zeros((4, 5, 3), np.int64))
    with pytest.raises(InputError, match="alpha must be"):
        Photo(pixels=np.zeros((4, 5, 3), np.uint8), alpha=np.zeros((4, 5), np.uint16))
    with pytest.raises(InputError, match="must have the photo's size"):
        photo_of(np.uint8).with_fill(np.zeros((9, 13, 3)), np.ones((9, 13), bool))


# How it is written: as the photo's own file was -----------------------------------------------------------------------


@pytest.mark.parametrize(("quality", "subsampling"), [(60, 2), (85, 1), (97, 0)])
def test_a_jpeg_keeps_its_tables_and_subsampling_unless_a_quality_is_given(tmp_path, quality, subsampling):
    Image.fromarray(photo_of(np.uint8, height=32, width=48).pixels).save(
        tmp_path / "a.jpg", quality=quality, subsampling=subsampling
    )
    photo = read_photo(tmp_path / "a.jpg")
    write_photo(photo, tmp_path / "b.jpg")
    before, after = opened(tmp_path / "a.jpg"), opened(tmp_path / "b.jpg")
    assert after.quantization == before.quantization
    assert after.layer == before.layer
    write_photo(photo, tmp_path / "c.jpg", quality=30)
    assert opened(tmp_path / "c.jpg").quantization[0][0] > before.quantization[0][0]


@pytest.mark.parametrize("alpha", [False, True])
def test_a_lossless_webp_stays_lossless_unless_a_quality_is_given(tmp_path, alpha):
    photo = photo_of(np.uint8, alpha=alpha)
    write_photo(photo, tmp_path / "a.webp", quality=100)
    again = read_photo(tmp_path / "a.webp")
    write_photo(again, tmp_path / "b.webp")
    assert np.array_equal(read_photo(tmp_path / "b.webp").pixels, photo.pixels)
    write_photo(again, tmp_path / "c.webp", quality=60)
    assert not np.array_equal(read_photo(tmp_path / "c.webp").pixels, photo.pixels)


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o444])
def test_permissions_are_those_of_the_file_that_is_replaced_else_of_the_photo(tmp_path, mode):
    write_photo(photo_of(np.uint8), tmp_path / "a.png")
    (tmp_path / "a.png").chmod(mode)
    photo = read_photo(tmp_path / "a.png")
    write_photo(photo, tmp_path / "b.png")
    copy_photo(photo, tmp_path / "c.png")
    for name in ("b.png", "c.png"):
        assert (tmp_path / name).stat().st_mode & 0o777 == mode | 0o200
    (tmp_path / "b.png").chmod(0o604)
    write_photo(photo, tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_mode & 0o777 == 0o604


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_a_palette_takes_the_colors_of_a_fill_while_it_has_room(tmp_path, caplog, suffix):
    image = Image.fromarray(photo_of(np.uint8, height=32, width=40).pixels).quantize(200)
    image.save(tmp_path / f"a{suffix}")
    photo = read_photo(tmp_path / f"a{suffix}")
    hole = np.zeros((32, 40), bool)
    hole[10:20, 10:30] = True
    completed = np.zeros((32, 40, 3), np.float32)
    for count, mode in ((8, "P"), (200, "RGB")):
        completed[hole] = np.minimum(np.arange(200), count - 1)[:, None] / 255
        filled = photo.with_fill(completed, hole)
        write_photo(filled, tmp_path / f"b{suffix}")
        back = opened(tmp_path / f"b{suffix}")
        assert np.array_equal(np.asarray(back.convert("RGB")), filled.pixels)
        assert back.mode == mode
        assert (mode == "RGB") == ("a palette of these colors (written as RGB)" in caplog.text)


@pytest.mark.parametrize(("suffix", "dtype"), [(".png", np.uint16), (".tif", np.uint16), (".jpg", np.uint8)])
def test_floats_are_written_at_the_depth_that_the_format_has_or_said(tmp_path, caplog, suffix, dtype):
    pixels = np.linspace(0.2, 0.21, 9 * 14 * 3, dtype=np.float32).reshape(9, 14, 3)
    write_photo(Photo(pixels=pixels), tmp_path / f"a{suffix}")
    back = read_photo(tmp_path / f"a{suffix}")
    assert back.pixels.dtype == dtype
    if dtype == np.uint16:
        assert np.array_equal(back.pixels, np.rint(pixels.astype(float) * 65535))
    assert ("floating point (scaled to 8 bit)" in caplog.text) == (dtype == np.uint8)


def test_what_was_done_to_a_photo_in_between_does_not_matter_for_its_own_samples(tmp_path):
    """Known pixels are found by their values: another size has none, another alpha is another pixel."""
    Image.fromarray(photo_of(np.uint8).pixels).convert("1").save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    larger = replace(photo, pixels=np.repeat(photo.pixels, 2, axis=0))
    write_photo(larger, tmp_path / "b.png")
    assert opened(tmp_path / "b.png").mode == "L"
    write_photo(photo.turned(6), tmp_path / "c.png")
    assert np.array_equal(np.asarray(opened(tmp_path / "c.png")), np.rot90(np.asarray(opened(tmp_path / "a.png")), -1))
