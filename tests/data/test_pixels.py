"""Crops, flips and sketches; decoding agrees with the general reader."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from inpaint.data.decoding import decode
from inpaint.data.pixels import CenterView, RandomView
from inpaint.errors import InputError
from inpaint.images.edges import Sketch
from inpaint.images.reading import read_rgb


def coordinates(height, width):
    """An image whose pixels say where they are: red = row, green = column, blue = 7."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows, columns, np.full_like(rows, 7)], axis=-1).astype(np.uint8)


def views(photo, view, count=400):
    return [view(photo, None, np.random.default_rng(seed))[0] for seed in range(count)]


def test_a_random_crop_is_a_window_at_native_resolution_flipped_or_not():
    photo = coordinates(40, 60)
    for cut in views(photo, RandomView(32, crop="random", flip=0.5), 50):
        top, left = cut[..., 0].min(), cut[..., 1].min()
        window = photo[top : top + 32, left : left + 32]
        assert np.array_equal(cut, window) or np.array_equal(cut, window[:, ::-1])


def test_crops_reach_every_place_and_flips_come_independently_of_it():
    cuts = views(coordinates(40, 60), RandomView(32, crop="random", flip=0.5))
    tops = np.array([cut[..., 0].min() for cut in cuts])
    lefts = np.array([cut[..., 1].min() for cut in cuts])
    flipped = np.array([cut[0, 0, 1] > cut[0, -1, 1] for cut in cuts])
    assert set(tops.tolist()) == set(range(9))
    assert set(lefts.tolist()) == set(range(29))
    assert 0.4 < flipped.mean() < 0.6
    for first, second in ((tops, lefts), (tops, flipped), (lefts, flipped)):
        # 400 independent pairs: a correlation beyond 0.2 is four standard deviations away.
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.2


def test_color_jitter_changes_colors_and_nothing_else():
    photo = np.full((40, 60, 3), (90, 120, 60), np.uint8)
    photo[:, 30:] = 30
    sketch = coordinates(40, 60)[..., 1]
    plain, jittered = RandomView(32, crop="random", flip=0.5), RandomView(32, crop="random", flip=0.5, color_jitter=0.5)
    colors = set()
    for seed in range(20):
        cut, lines = jittered(photo, sketch, np.random.default_rng(seed))
        expected, expected_lines = plain(photo, sketch, np.random.default_rng(seed))
        assert np.array_equal(lines, expected_lines)
        dark = expected[..., 0] == 30
        assert all(len(np.unique(cut[where].reshape(-1, 3), axis=0)) <= 1 for where in (dark, ~dark))
        colors.update(map(tuple, cut[~dark].reshape(-1, 3)[:1].tolist()))
    assert len(colors) > 10


@pytest.mark.parametrize(("flip", "expected"), [(0.0, 0), (1.0, 20)])
def test_the_share_of_flips_is_kept_at_its_ends(flip, expected):
    cuts = views(coordinates(32, 32), RandomView(32, crop="random", flip=flip), 20)
    assert sum(bool(cut[0, 0, 1] > cut[0, -1, 1]) for cut in cuts) == expected


@pytest.mark.parametrize("size", [(20, 30), (30, 20), (8, 100), (31, 33), (32, 40)])
@pytest.mark.parametrize("crop", ["random", "resize"])
def test_smaller_photos_are_enlarged_to_the_crop(size, crop):
    photo = np.full((*size, 3), 90, np.uint8)
    cut, _ = RandomView(32, crop=crop, flip=0.5)(photo, None, np.random.default_rng(0))
    assert cut.shape == (32, 32, 3)
    assert np.array_equal(np.unique(cut), [90])


def test_resizing_keeps_the_whole_shorter_side():
    photo = coordinates(64, 200)
    for cut in views(photo, RandomView(32, crop="resize", flip=0.0), 10):
        # Rows 0..63 in 32 rows: means of pairs, 0.5, 2.5, ... rounded.
        assert np.abs(cut[:, 0, 0] - np.arange(0.5, 64, 2)).max() <= 0.5


def test_downsizing_averages_instead_of_picking():
    checkerboard = np.indices((64, 64)).sum(axis=0) % 2 * 255
    photo = np.repeat(checkerboard[..., None], 3, axis=2).astype(np.uint8)
    cut, _ = CenterView(32)(photo, None)
    assert np.abs(cut.astype(int) - 127.5).max() <= 1


def test_the_center_view_cuts_equally_on_both_ends():
    cut, _ = CenterView(32)(coordinates(32, 48), None)
    assert cut[0, :, 1].tolist() == list(range(8, 40))


@pytest.mark.parametrize("size", [(40, 60), (20, 30)])
@pytest.mark.parametrize("crop", ["random", "resize"])
def test_a_sketch_is_cut_like_its_photo(size, crop):
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    plane = (rows * 3 + columns * 2).astype(np.uint8)
    for seed in range(10):
        photo, sketch = RandomView(32, crop=crop, flip=0.5)(
            np.repeat(plane[..., None], 3, axis=2), plane, np.random.default_rng(seed)
        )
        assert np.abs(photo[..., 0].astype(int) - sketch).max() <= 1


def test_canny_finds_the_border_of_a_square_and_nothing_elsewhere():
    photo = np.full((48, 48, 3), 40, np.uint8)
    photo[16:32, 16:32] = 200
    whole = np.ones((48, 48), np.uint8)
    lines = Sketch(sigma_px=(1.0, 1.0)).make(photo, whole, companion=None, rng=None)
    rows, columns = np.nonzero(lines)
    assert lines.dtype == np.uint8
    assert len(rows) > 40
    near = [min(abs(value - 15.5), abs(value - 31.5)) <= 1.5 for value in (*rows, *columns)]
    pairs = np.array(near).reshape(2, -1)
    assert pairs.any(axis=0).all()
    assert not lines[:10].any()
    assert not lines[20:28, 20:28].any()


def test_a_sketch_file_is_edge_above_the_threshold():
    values = np.array([[0, 152, 153, 154, 255]], np.uint8)  # 153 / 255 = 0.6 exactly
    blank, whole = np.zeros((1, 5, 3), np.uint8), np.ones((1, 5), np.uint8)
    made = Sketch(source="file").make(blank, whole, companion=values, rng=None)
    assert made.tolist() == [[0, 0, 0, 1, 1]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpegs_decode_as_the_general_reader_decodes_them(tmp_path, photo, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "photo.jpg"
    Image.fromarray(photo).save(path, exif=exif, quality=92)
    assert np.array_equal(decode(path.read_bytes(), "photo"), read_rgb(path))


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("L", {}),
        ("CMYK", {}),
        ("RGB", {"progressive": True}),
        ("RGB", {"subsampling": 0}),
        ("RGB", {"subsampling": 2, "quality": 30}),
    ],
)
def test_unusual_jpegs_decode_as_the_general_reader_decodes_them(tmp_path, photo, mode, options):
    path = tmp_path / "photo.jpg"
    Image.fromarray(photo).convert(mode).save(path, **options)
    assert np.array_equal(decode(path.read_bytes(), "photo"), read_rgb(path))


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path, photo):
    path = tmp_path / "photo.jpg"
    Image.fromarray(photo).save(path)
    clean = path.read_bytes()
    assert np.array_equal(decode(clean + b"appended by a phone", "photo"), decode(clean, "photo"))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_a_file_cut_short_is_an_error_with_its_name(photo, suffix):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, format={"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix))
    data = file.getvalue()
    with pytest.raises(InputError, match=f"a/photo.{suffix}"):
        decode(data[: len(data) * 2 // 3], f"a/photo.{suffix}")


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_a_damaged_jpeg_that_ends_as_one_is_taken_as_the_general_reader_takes_it(tmp_path, photo, share):
    path = tmp_path / "photo.jpg"
    Image.fromarray(photo).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)] + b"\xff\xd9")
    try:
        expected = read_rgb(path)
    except InputError:
        with pytest.raises(InputError, match=r"photo\.jpg"):
            decode(path.read_bytes(), "photo.jpg")
    else:
        assert np.array_equal(decode(path.read_bytes(), "photo.jpg"), expected)
