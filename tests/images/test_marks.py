"""Boxes, polygons, transparency and colors as holes, against independent rasterizers."""

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from inpaint.errors import MaskError, UsageError
from inpaint.images.marks import (
    box_hole,
    color_hole,
    parse_box,
    parse_color,
    parse_polygon,
    polygon_hole,
    transparent_hole,
)
from inpaint.images.photo import photo_of_array


@pytest.fixture
def plain():
    return photo_of_array(np.full((30, 40, 3), 90, np.uint8))


@pytest.mark.parametrize("given", ["1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,0,4", "-1,2,3,4", "", (1.5, 2, 3, 4), 7, None])
def test_what_is_no_box_is_said_with_the_form_that_is(given):
    with pytest.raises(UsageError, match=r"is none: write x,y,width,height in pixels"):
        parse_box(given)


def test_a_box_is_x_y_width_height_and_ends_inside_the_photo(plain):
    hole = box_hole(plain, parse_box(" 5, 7,10,3"))
    rows, columns = np.nonzero(hole)
    assert (rows.min(), rows.max(), columns.min(), columns.max(), hole.sum()) == (7, 9, 5, 14, 30)
    assert box_hole(plain, parse_box((0, 0, 40, 30))).all()
    with pytest.raises(MaskError, match=r"the box 5,7,36,3 .* ends at 41,10, outside the photo of 40 x 30"):
        box_hole(plain, parse_box("5,7,36,3"))


def test_a_polygon_holds_the_pixels_whose_centers_lie_inside(plain):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:30, 0:40] + 0.5
    centers = np.column_stack([x.ravel(), y.ravel()])
    for _ in range(20):
        corners = rng.uniform((0, 0), (40, 30), (3, 2))  # a triangle never crosses itself
        expected = Outline(np.vstack([corners, corners[:1]])).contains_points(centers).reshape(30, 40)
        assert np.array_equal(polygon_hole(plain, parse_polygon(corners.tolist())), expected)


def test_a_rectangle_as_a_polygon_is_the_box_and_neighbors_share_no_pixel(plain):
    box = box_hole(plain, parse_box("5,7,10,3"))
    assert np.array_equal(polygon_hole(plain, parse_polygon("5,7 15,7 15,10 5,10")), box)
    upper = polygon_hole(plain, parse_polygon("0,0; 40,0; 0,30"))
    lower = polygon_hole(plain, parse_polygon("40,0,40,30,0,30"))
    assert (upper ^ lower).all()


@pytest.mark.parametrize("given", ["1,2 3,4", "1,2 3,4 5", "1,2 3,x 5,6", [(1, 2), (3, 4)], "1,2 3,nan 5,6", None])
def test_what_is_no_polygon_is_said(given):
    with pytest.raises(UsageError, match="is none: write at least three corners"):
        parse_polygon(given)


def test_a_corner_outside_the_photo_is_named(plain):
    with pytest.raises(MaskError, match="the corner 41,3 of the polygon lies outside the photo of 40 x 30"):
        polygon_hole(plain, parse_polygon("1,1 41,3 5,9"))


def test_transparency_is_cut_at_half_and_must_be_there(plain):
    values = np.full((30, 40, 4), 255, np.uint8)
    values[3:6, 4:9, 3], values[10, 10, 3], values[11, 11, 3] = 0, 127, 128
    expected = np.zeros((30, 40), bool)
    expected[3:6, 4:9] = expected[10, 10] = True
    assert np.array_equal(transparent_hole(photo_of_array(values)), expected)
    with pytest.raises(MaskError, match="it has no alpha"):
        transparent_hole(plain)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_strokes_of_a_color_are_found_with_their_soft_edge_and_nothing_else(dtype):
    rng = np.random.default_rng(0)
    image = rng.integers(60, 200, (40, 50, 3)).astype(np.float64)
    image[10:20, 5:45] = (255, 0, 0)
    image[9, 5:45] = 0.5 * image[9, 5:45] + 0.5 * np.array((255, 0, 0))  # antialiased
    image[30, 30] = (255, 40, 40)  # near the color, and of no stroke
    photo = photo_of_array((image * (1 if dtype == np.uint8 else 257)).astype(dtype))
    hole = color_hole(photo, parse_color("red"))
    assert hole[9:20, 5:45].all()
    assert not hole[30, 30]
    assert not hole[:7].any()
    assert not hole[23:].any()
    assert np.array_equal(hole, color_hole(photo, parse_color("#ff0000")))
    assert not color_hole(photo, parse_color("lime")).any()


@pytest.mark.parametrize("given", ["reddish", "#12", "", None])
def test_what_is_no_color_is_said(given):
    with pytest.raises(UsageError, match="is none: write a name such as red"):
        parse_color(given)
