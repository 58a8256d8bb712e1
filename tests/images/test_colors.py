"""Colors to follow: flat regions of the photo, or strokes of them."""

import numpy as np
import pytest
from pydantic import ValidationError
from skimage import data

from inpaint.images import colors
from inpaint.images.colors import ColorStrokes, flat_colors, walk


@pytest.fixture(scope="module")
def photo():
    return data.astronaut()[40:200, 150:342]


@pytest.fixture(scope="module")
def mask(photo):
    hole = np.zeros(photo.shape[:2], np.uint8)
    hole[30:130, 40:150] = 1
    return hole


def made(maker, photo, mask, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    return maker.make(photo, mask, companion=None, rng=rng)


def test_colors_are_given_in_the_hole_only_and_are_black_elsewhere(photo, mask):
    for seed in (None, *range(8)):
        plane = made(ColorStrokes(), photo, mask, seed)
        assert plane.shape == (*mask.shape, 4)
        assert plane.dtype == np.float32
        assert set(np.unique(plane[..., 3])) <= {0, 1}
        assert not plane[(mask == 0) | (plane[..., 3] == 0)].any()
        assert 0 <= plane.min() <= plane.max() <= 1


def test_validation_has_all_colors_and_a_seed_its_own(photo, mask):
    fixed = made(ColorStrokes(), photo, mask, None)
    assert np.array_equal(fixed[..., 3], mask)
    assert np.array_equal(fixed, made(ColorStrokes(strokes=1, given=0), photo, mask, None))
    assert np.array_equal(made(ColorStrokes(), photo, mask, 3), made(ColorStrokes(), photo, mask, 3))
    assert not np.array_equal(made(ColorStrokes(given=1), photo, mask, 3), made(ColorStrokes(given=1), photo, mask, 4))


def test_colors_are_near_the_photo_s_own(photo, mask):
    plane = made(ColorStrokes(), photo, mask, None)
    away = np.abs(plane[..., :3] - photo / 255)[mask == 1]
    assert away.mean() < 0.06
    assert len(np.unique(plane[mask == 1], axis=0)) < 400


def test_so_many_samples_are_given_and_so_many_have_strokes_only(photo, mask):
    small, hole = photo[:48, :64], mask[20:68, 30:94]
    planes = [made(ColorStrokes(given=0.6, strokes=0.5), small, hole, seed)[..., 3] for seed in range(200)]
    given = [plane for plane in planes if plane.any()]
    whole = [plane for plane in given if np.array_equal(plane, hole)]
    assert 0.5 < len(given) / 200 < 0.7
    assert 0.35 < len(whole) / len(given) < 0.65


def test_a_stroke_has_one_color_of_the_flat_photo_and_ends_where_it_changes(photo, mask):
    maker = ColorStrokes(given=1, strokes=1, count=(1, 1), regions=(200, 200), length_px=(200, 200))
    flat = flat_colors(photo, 200)
    for seed in range(5):
        plane = made(maker, photo, mask, seed)
        drawn = plane[plane[..., 3] == 1]
        assert len(np.unique(drawn, axis=0)) == 1
        assert (flat == np.rint(255 * drawn[0, :3])).all(axis=2)[mask == 1].any()


def test_a_path_stays_in_the_hole_and_on_its_color(mask):
    halves = np.zeros((*mask.shape, 3), np.uint8)
    halves[:, 95:] = 2 * colors.TOLERANCE
    for seed in range(20):
        path = walk(halves, mask, (80, 60), 400.0, step_px=3, rng=np.random.default_rng(seed))
        assert tuple(path[0]) == (80, 60)
        assert mask[path[:, 0], path[:, 1]].all()
        assert (path[:, 1] < 95).all()


@pytest.mark.parametrize("of", ["mean", "median"])
def test_a_region_has_the_mean_or_the_median_of_its_pixels(of, photo, monkeypatch):
    labels = np.repeat(np.repeat(np.arange(6).reshape(2, 3), 10, axis=0), 7, axis=1)  # (20, 21)
    monkeypatch.setattr(colors, "regions_of", lambda image, count: labels)
    image = photo[:20, :21]
    flat = flat_colors(image, 6, of=of, smooth_px=1)
    for region in range(6):
        pixels = image[labels == region].astype(float)
        expected = np.rint(pixels.mean(axis=0)) if of == "mean" else np.sort(pixels, axis=0)[(len(pixels) - 1) // 2]
        assert (flat[labels == region] == expected).all()


def test_an_image_of_one_color_keeps_it():
    image = np.full((40, 300, 3), (200, 30, 90), np.uint8)
    assert np.array_equal(flat_colors(image, 50), image)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"regions": (0, 5)}, "two positive numbers"),
        ({"width_px": (9, 3)}, "the smaller first"),
        ({"smooth_px": 4}, "must be odd, got 4"),
        ({"given": 1.5}, "less than or equal to 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        ColorStrokes(**options)


def test_a_photo_without_a_hole_has_no_colors(photo):
    plane = made(ColorStrokes(given=1, strokes=1), photo, np.zeros(photo.shape[:2], np.uint8), 0)
    assert not plane.any()
