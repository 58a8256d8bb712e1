"""Whatever bytes a file has: a message of one line or a correct result, never a traceback or half a file."""

import io

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from holding import ICC, THINGS, XMP, cmyk_profile, exif, image, levels, with_thumbnail
from inpaint.errors import InpaintError
from inpaint.images.formats import format_of_name
from inpaint.images.photo import photo_of_array
from inpaint.images.reading import read_photo
from inpaint.images.writing import write_photo

SUFFIXES = (".jpg", ".png", ".tif", ".webp", ".bmp", ".avif")
MAX_PIXELS = 1_000_000


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """Sound files of every format and kind, by their suffix and number."""
    folder, found = tmp_path_factory.mktemp("seeds"), []
    for number, thing in enumerate(THINGS):
        path = folder / f"{number}{thing.suffix}"
        thing.make(path)
        found.append((thing.suffix, path.read_bytes()))
    about = {"exif": with_thumbnail(), "icc_profile": ICC, "xmp": XMP}
    for suffix, name, options in (
        (".webp", "WEBP", about),
        (".webp", "WEBP", {"lossless": True}),
        (".webp", "WEBP", {"save_all": True, "append_images": [image().rotate(180)]}),
        (".avif", "AVIF", {**about, "speed": 10}),
        (".bmp", "BMP", {}),
        (".jpg", "JPEG", {"progressive": True, **about}),
        (".png", "PNG", {"save_all": True, "append_images": [image().rotate(180)]}),
        *((".tif", "TIFF", {"compression": name}) for name in ("tiff_lzw", "packbits", "zstd", "jpeg")),
        (".tif", "TIFF", {"exif": exif(camera={0x829A: 0.01}, place={1: "N"})}),
    ):
        buffer = io.BytesIO()
        image().save(buffer, name, **options)
        found.append((suffix, buffer.getvalue()))
    deep = levels(65535)
    for options in (
        {"tile": (16, 16)},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"compression": "zlib", "predictor": True},
    ):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, deep, photometric="rgb", **options)
        found.append((".tif", buffer.getvalue()))
    found.append((".png", cv2.imencode(".png", deep)[1].tobytes()))
    return found


def corrupted(data, rng):
    """Return the bytes with a few of them changed, taken out, put in or cut off, near the beginning more often."""
    data, kind = bytearray(data), rng.integers(6)
    for _ in range(int(rng.integers(1, 6))):
        if not data:
            break
        at = int(rng.integers(min(len(data), 400) if rng.random() < 0.7 else len(data)))
        if kind == 0:
            data[at] = int(rng.integers(256))
        elif kind == 1:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del data[at : at + int(rng.integers(1, 40))]
        elif kind == 3:
            data[at:at] = rng.bytes(int(rng.integers(1, 40)))
        elif kind == 4:
            data[at : at + 4] = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\1\0\0\0"][rng.integers(4)]
        else:
            del data[at:]
    return bytes(data)


def put_through(path, target):
    """Read a file, write it, read the result and compare; a refusal is a line."""
    try:
        photo = read_photo(path, max_pixels=MAX_PIXELS, first_page=False)
        write_photo(photo, target)
        back = read_photo(target, first_page=False)
    except InpaintError as error:
        if "\n" in str(error):
            raise
        return
    assert back.pixels.shape == photo.pixels.shape
    assert len(back.pages) == (len(photo.pages) if target.suffix == ".tif" else 0)
    lossless = target.suffix in (".tif", ".png") or (target.suffix == ".bmp" and photo.alpha is None)
    if lossless and back.pixels.dtype == photo.pixels.dtype:
        assert np.array_equal(back.pixels, photo.pixels)
        if photo.alpha is not None:
            assert np.array_equal(back.alpha, photo.alpha)


def tried(seeds, folder, count, seed):
    rng = np.random.default_rng(seed)
    for number in range(count):
        suffix, data = seeds[number % len(seeds)]
        path, target = folder / f"a{suffix}", folder / f"out{SUFFIXES[number % 5 if number % 25 else 5]}"
        path.write_bytes(corrupted(data, rng))
        put_through(path, target)
        assert {each.name for each in folder.iterdir()} <= {path.name, target.name}
        path.unlink()
        target.unlink(missing_ok=True)


def combined(folder, count, seed):
    """Write photos of random kinds with random metadata in every format, and put them through."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        suffix = SUFFIXES[rng.integers(6)]
        mode = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"][rng.integers(8)]
        shape = tuple(int(side) for side in rng.integers(8, 40, 2))
        path, target = folder / f"a{suffix}", folder / f"out{SUFFIXES[rng.integers(6)]}"
        options = {"exif": with_thumbnail(), "icc_profile": ICC, "xmp": XMP, "dpi": (300, 300), "comment": b"x"}
        options = {name: value for name, value in options.items() if rng.random() < 0.5}
        if mode == "CMYK" and "icc_profile" in options:
            options["icc_profile"] = cmyk_profile()
        if mode == "I;16":
            image = Image.fromarray(rng.integers(0, 65536, shape).astype(np.uint16))
        else:
            image = Image.fromarray(rng.integers(0, 256, (*shape, 4)).astype(np.uint8)).convert(mode)
        if suffix == ".tif":
            options.pop("xmp", None)
        try:
            image.save(path, **options)
        except (OSError, ValueError):  # a kind that Pillow does not write in this format
            continue
        put_through(path, target)
        target.unlink(missing_ok=True)
        path.unlink()


def test_some_corrupted_files_give_a_message_or_a_correct_result(seeds, tmp_path):
    tried(seeds, tmp_path, count=250, seed=0)


@pytest.mark.slow
def test_three_thousand_corrupted_files_give_a_message_or_a_correct_result(seeds, tmp_path):
    tried(seeds, tmp_path, count=3000, seed=1)


def test_some_random_combinations_give_a_message_or_a_correct_result(tmp_path):
    combined(tmp_path, count=60, seed=0)


@pytest.mark.slow
def test_five_hundred_random_combinations_give_a_message_or_a_correct_result(tmp_path):
    combined(tmp_path, count=500, seed=1)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_kind_of_array_is_written_in_every_format(tmp_path, suffix, dtype, channels):
    values = levels(65535, channels=4)[..., :channels]
    values = {np.uint8: values // 257, np.uint16: values, np.float32: values / 65535}[dtype].astype(dtype)
    write_photo(photo_of_array(values), tmp_path / f"a{suffix}")
    back = read_photo(tmp_path / f"a{suffix}")
    assert back.pixels.shape == (24, 32, 3)
    assert back.pixels.dtype == (np.uint8 if dtype == np.uint8 or suffix not in (".png", ".tif") else np.uint16)
    assert (back.alpha is not None) == (channels in (2, 4) and suffix not in (".jpg", ".bmp"))
    assert format_of_name(tmp_path / f"a{suffix}")
