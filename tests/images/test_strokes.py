"""Masks drawn as shapes: what each covers, in which order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from inpaint.errors import InputError
from inpaint.images.strokes import MOST_POINTS, Shape, colored, drawn, parse_shapes

HEIGHT, WIDTH = 40, 60
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5  # centers of the pixels


def away_from(x0, y0, x1, y1):
    """Return how far each pixel's center is from a segment."""
    along = np.clip(((X - x0) * (x1 - x0) + (Y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2), 0, 1)
    return np.hypot(X - x0 - along * (x1 - x0), Y - y0 - along * (y1 - y0))


def test_a_box_covers_the_pixels_whose_centers_lie_in_it_whichever_corner_comes_first():
    expected = (X > 4.4) & (X < 20.6) & (Y > 3.0) & (Y < 9.0)
    for points in ([(4.4, 3.0), (20.6, 9.0)], [(20.6, 9.0), (4.4, 3.0)], [(4.4, 9.0), (20.6, 3.0)]):
        assert np.array_equal(drawn([Shape("box", tuple(points))], HEIGHT, WIDTH), expected)


def test_a_box_may_reach_out_of_the_photo():
    found = drawn([Shape("box", ((-50.0, -9.0), (5.0, 500.0)))], HEIGHT, WIDTH)
    assert np.array_equal(found, X < 5)


@pytest.mark.parametrize("width_px", [1, 6, 13])
def test_a_brush_covers_what_is_nearer_than_half_its_width_to_within_a_pixel(width_px):
    found = drawn([Shape("brush", ((10.5, 12.5), (45.5, 30.5)), width_px=width_px)], HEIGHT, WIDTH)
    away = away_from(10.5, 12.5, 45.5, 30.5)
    assert found[away < width_px / 2 - 1].all()
    assert not found[away > width_px / 2 + 1.01].any()
    assert found.any()


def test_a_brush_that_did_not_move_leaves_a_dot():
    found = drawn([Shape("brush", ((20.5, 15.5),), width_px=9)], HEIGHT, WIDTH)
    away = np.hypot(X - 20.5, Y - 15.5)
    assert found[away <= 3.5].all()
    assert not found[away > 5.6].any()


def test_a_lasso_covers_its_inside():
    found = drawn([Shape("lasso", ((10.0, 5.0), (50.0, 5.0), (10.0, 35.0)))], HEIGHT, WIDTH)
    inside = (X > 10) & (Y > 5) & ((X - 10) / 40 + (Y - 5) / 30 < 1)
    assert np.count_nonzero(found != inside) < 80  # the outline itself may count
    assert found[inside].all()


def test_shapes_count_in_their_order_and_an_eraser_takes_away_what_is_there():
    box = Shape("box", ((0, 0), (60, 40)))
    eraser = Shape("box", ((10, 10), (20, 20)), erases=True)
    assert drawn([box, eraser], HEIGHT, WIDTH).sum() == HEIGHT * WIDTH - 100
    assert drawn([eraser, box], HEIGHT, WIDTH).all()


def test_layers_are_drawn_apart():
    shapes = [Shape("box", ((0, 0), (5, 5))), Shape("box", ((20, 20), (30, 30)), layer="sketch")]
    assert drawn(shapes, HEIGHT, WIDTH).sum() == 25
    assert drawn(shapes, HEIGHT, WIDTH, layer="sketch").sum() == 100


def test_a_mask_that_is_there_already_is_one_of_the_shapes():
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[5:10, 5:10] = True
    shapes = [Shape("mask", mask="found"), Shape("box", ((0, 0), (7, 60)), erases=True)]
    assert drawn(shapes, HEIGHT, WIDTH, masks={"found": mask}).sum() == 15
    with pytest.raises(InputError, match="unknown mask 'gone'"):
        drawn([Shape("mask", mask="gone")], HEIGHT, WIDTH, masks={"found": mask})
    with pytest.raises(InputError, match=r"size \(40, 60\), got \(3, 3\)"):
        drawn([Shape("mask", mask="found")], HEIGHT, WIDTH, masks={"found": np.ones((3, 3), bool)})


def test_shapes_are_read_from_plain_values():
    (shape,) = parse_shapes([{"kind": "brush", "points": [[1, 2.5]], "width_px": 3, "erases": True, "layer": "edges"}])
    assert shape == Shape("brush", ((1.0, 2.5),), width_px=3.0, erases=True, layer="edges")
    assert parse_shapes([]) == ()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("box", "shapes must be a list, got 'box'"),
        ({"kind": "box"}, "shapes must be a list"),
        ([5], "a shape must be an object"),
        ([{"kind": "box", "points": 5}], "points must be a list"),
        ([{"kind": "circle", "points": []}], "unknown kind of shape 'circle'"),
        ([{"kind": "box", "points": [[1, 2]]}], "a box needs at least 2 points, got 1"),
        ([{"kind": "lasso", "points": [[1, 2], [3, 4]]}], "a lasso needs at least 3 points, got 2"),
        ([{"kind": "brush", "points": [[1, 2, 3]]}], "a point must be a pair x, y"),
        ([{"kind": "brush", "points": [["1", 2]]}], "a coordinate must be a finite number"),
        ([{"kind": "brush", "points": [[float("nan"), 2]]}], "a coordinate must be a finite number"),
        ([{"kind": "brush", "points": [[1, 2]], "width_px": -1}], "width_px must be a finite number of at least 0"),
        ([{"kind": "brush", "points": [[1, 2]], "width": 5}], "unknown field of a shape 'width'"),
        ([{"kind": "brush", "points": [[1, 2]] * (MOST_POINTS + 1)}], "at most 100,000 are taken"),
    ],
)
def test_anything_else_is_refused_in_one_line(given, complaint):
    with pytest.raises(InputError, match=complaint):
        parse_shapes(given)


def test_coordinates_far_away_do_no_harm():
    shapes = parse_shapes([{"kind": "lasso", "points": [[-1e30, -1e30], [1e30, -1e30], [1e30, 1e30], [-1e30, 1e30]]}])
    assert drawn(shapes, HEIGHT, WIDTH).all()


def test_colors_cover_earlier_ones_and_are_erased_in_the_order_of_drawing():
    shapes = [
        Shape("box", ((0, 0), (6, 6)), layer="color", color="#102030"),
        Shape("box", ((3, 0), (9, 6)), layer="color", color="#FF0000"),
        Shape("box", ((5, 2), (7, 4)), layer="color", erases=True),
        Shape("box", ((6, 3), (7, 4)), layer="color"),
        Shape("box", ((0, 0), (9, 9)), layer="sketch", color="#00ff00"),
    ]
    painted = colored(shapes, HEIGHT, WIDTH, layer="color")
    assert painted[1, 1].tolist() == [16, 32, 48, 255]
    assert painted[1, 4].tolist() == [255, 0, 0, 255]
    assert painted[2, 5].tolist() == [0, 0, 0, 0]
    assert painted[3, 6].tolist() == [0, 0, 0, 255]
    assert painted[..., 3].sum() == 255 * (9 * 6 - 4 + 1)


@pytest.mark.parametrize("color", ["red", "#12345", 7, "#1234567"])
def test_a_color_that_is_none_is_refused(color):
    with pytest.raises(InputError, match="a color must be written as #rrggbb"):
        parse_shapes([{"kind": "box", "points": [[1, 2], [3, 4]], "color": color}])


def test_colors_cover_what_shapes_without_color_do():
    shapes = [
        Shape("brush", ((5, 5), (30, 12), (50, 33)), width_px=7, layer="color", color="#ff8000"),
        Shape("lasso", ((10, 30), (25, 8), (40, 35)), layer="color", color="#0080ff"),
        Shape("brush", ((0, 20), (60, 20)), width_px=4, erases=True, layer="color"),
        Shape("box", ((45, 25), (55, 38)), layer="color", color="#00ff00"),
    ]
    painted = colored(shapes, HEIGHT, WIDTH, layer="color")
    assert np.array_equal(painted[..., 3] == 255, drawn(shapes, HEIGHT, WIDTH, layer="color"))
    last = drawn(shapes[3:], HEIGHT, WIDTH, layer="color")
    assert (painted[last] == (0, 255, 0, 255)).all()
    assert not painted[painted[..., 3] == 0].any()
