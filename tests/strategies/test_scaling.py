"""Reducing a part and enlarging what was painted: against OpenCV, and what a hole may not give away."""

import cv2
import numpy as np
import pytest

from inpaint.images.regions import Region
from inpaint.strategies import scaling


def cut_of(image):
    return lambda region: image[region.slices]


@pytest.mark.parametrize(("size", "small"), [((40, 56), (10, 14)), ((40, 57), (13, 20)), ((31, 90), (31, 45))])
def test_without_a_hole_a_part_is_reduced_as_opencv_reduces_by_areas(size, small, make_photo, monkeypatch):
    monkeypatch.setattr(scaling, "BAND_PIXELS", 7 * size[1])  # several bands
    image = make_photo(*size).astype(np.float32) / 255
    color, hole = scaling.reduced(cut_of(image), Region.whole(size), np.zeros(size, bool), small)
    assert not hole.any()
    assert color == pytest.approx(cv2.resize(image, small[::-1], interpolation=cv2.INTER_AREA), abs=1e-5)


def test_what_stands_in_the_hole_does_not_change_what_is_reduced(make_photo):
    image, hole = make_photo(40, 56).astype(np.float32) / 255, np.zeros((40, 56), bool)
    hole[11:25, 7:30] = True
    other = np.where(hole[..., None], np.float32(np.nan), image)
    found = [scaling.reduced(cut_of(each), Region.whole(hole.shape), hole, (13, 18)) for each in (image, other)]
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])


def test_pixels_that_touch_the_hole_belong_to_it_unless_nothing_would_be_known():
    hole = np.zeros((8, 8), bool)
    hole[3, 3] = True
    _, small = scaling.reduced(cut_of(np.zeros((8, 8, 3))), Region.whole((8, 8)), hole, (4, 4))
    assert np.argwhere(small).tolist() == [[1, 1]]
    stripes = np.zeros((8, 8), bool)
    stripes[::2] = True
    stripes[:, :2] = True
    color, small = scaling.reduced(cut_of(np.full((8, 8, 3), 0.25)), Region.whole((8, 8)), stripes, (4, 4))
    assert np.array_equal(small, np.repeat([[True, False, False, False]], 4, axis=0))
    assert (color[~small] == 0.25).all()


@pytest.mark.parametrize("size", [(30, 40), (31, 55), (10, 14)])
def test_enlarging_is_opencvs_cubic_in_any_window(size, make_photo):
    image = make_photo(10, 14).astype(np.float32) / 255
    expected = cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC)
    whole = scaling.enlarged(image, size, Region.whole(size))
    assert whole == pytest.approx(expected, abs=1e-5)
    window = Region(3, 9, 5, 13)
    assert np.array_equal(scaling.enlarged(image, size, window), whole[window.slices])


@pytest.mark.parametrize("small", [(20, 28), (13, 19), (7, 9)])
def test_a_thin_line_stays_a_line_in_one_piece(small):
    lines = np.zeros((40, 56, 1), np.float32)
    cv2.line(lines, (3, 5), (50, 33), 1.0, 1)
    cv2.line(lines, (20, 2), (20, 38), 1.0, 1)
    found = scaling.reduced_plane(lines, small, "lines")
    assert found.shape == (*small, 1)
    assert set(np.unique(found)) == {0, 1}
    count, _ = cv2.connectedComponents(found[..., 0].astype(np.uint8), connectivity=8)
    assert count == 2
    assert found.mean() < 0.6


@pytest.mark.parametrize("small", [(20, 28), (13, 19)])
def test_a_given_color_is_not_mixed_with_what_is_not_given(small):
    plane = np.zeros((40, 56, 4), np.float32)
    plane[..., :3] = 0.9  # of no meaning where nothing is given
    plane[7:31, 9:43] = (0.2, 0.4, 0.6, 1)
    found = scaling.reduced_plane(plane, small, "colors")
    given = found[..., 3] == 1
    assert found[given][:, :3] == pytest.approx(np.tile((0.2, 0.4, 0.6), (given.sum(), 1)), abs=1e-6)
    assert not found[~given].any()
    assert given.mean() == pytest.approx((24 * 34) / (40 * 56), rel=0.25)


def test_values_are_averaged_by_areas(make_photo):
    plane = make_photo(40, 56).astype(np.float32) / 255
    expected = cv2.resize(plane, (19, 13), interpolation=cv2.INTER_AREA)
    assert scaling.reduced_plane(plane, (13, 19)) == pytest.approx(expected, abs=1e-6)
