"""Planes beside image and mask: what a model names is imported on first use."""

import numpy as np
import pytest
from PIL import Image

from inpaint.errors import MaskError, UsageError
from inpaint.images.edges import Sketch
from inpaint.images.guidance import COLOR, DRAWN_BY_HAND, EDGES, SKETCH
from inpaint.images.photo import Photo
from inpaint.images.planes import maker_class, plane_of, read_color, read_edges
from inpaint.images.reading import read_photo
from inpaint.registry.table import planes
from inpaint.types import Plane


@pytest.fixture
def drawing(tmp_path):
    """A photo file of one white line on black."""
    lines = np.zeros((6, 8), np.uint8)
    lines[2] = 255
    Image.fromarray(lines).save(tmp_path / "lines.png")
    return read_photo(tmp_path / "lines.png")


def test_white_is_a_line(drawing):
    lines = read_edges(drawing, "sketch")
    assert lines.dtype == bool
    assert lines[2].all()
    assert lines.sum() == 8


def test_a_plane_is_made_and_read_by_what_it_names(drawing):
    plane = Plane(name="lines", make="inpaint.images.edges:Sketch", read="inpaint.images.planes:read_edges")
    assert maker_class(plane) is Sketch
    assert np.array_equal(plane_of(drawing, plane), read_edges(drawing, "lines"))


def test_a_plane_without_maker_or_reader_says_so(drawing):
    with pytest.raises(UsageError, match="the plane 'depth' is not made for training"):
        maker_class(Plane(name="depth"))
    with pytest.raises(UsageError, match="the plane 'depth' does not come from a file"):
        plane_of(drawing, Plane(name="depth"))


@pytest.mark.parametrize("name", sorted(planes()))
def test_what_the_models_name_can_be_imported(name, drawing):
    plane = planes()[name]
    assert plane.summary
    assert plane_of(drawing, plane).shape[:2] == (6, 8)
    if plane.make is not None:
        maker_class(plane)(**plane.options)


@pytest.mark.parametrize("plane", [SKETCH, EDGES, COLOR], ids=lambda plane: plane.name)
def test_the_common_planes_can_be_read_and_have_as_many_channels_as_they_say(plane, drawing):
    read = plane_of(drawing, plane)
    assert read.reshape(*read.shape[:2], -1).shape == (6, 8, plane.channels)


def test_sketches_of_models_may_be_made_as_drawn_by_hand():
    assert Sketch(**DRAWN_BY_HAND).thin


def colors(dtype, alpha=True):
    """A red and a black pixel that are given, a green one that hardly is, and one that is not."""
    top = np.iinfo(dtype).max
    pixels = np.array([[[top, 0, 0], [0, 0, 0], [0, top, 0], [top, top, top]]], dtype)
    return Photo(pixels=pixels, alpha=np.array([[top, top // 2 + 1, top // 2, 0]], dtype) if alpha else None)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_color_is_given_where_alpha_is_above_half(dtype):
    plane = read_color(colors(dtype), "color")
    assert plane.dtype == np.float32
    assert plane.tolist() == [[[1, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]]


def test_without_alpha_black_is_no_color():
    plane = read_color(colors(np.uint8, alpha=False), "color")
    assert plane.tolist() == [[[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1]]]


def test_black_that_a_lossy_format_changed_is_no_color(tmp_path):
    drawn = np.zeros((48, 48, 3), np.uint8)
    drawn[10:30, 12:36] = (220, 40, 60)
    Image.fromarray(drawn).save(tmp_path / "colors.jpg", quality=75, subsampling=0)
    stored = np.asarray(Image.open(tmp_path / "colors.jpg"))
    given = read_color(read_photo(tmp_path / "colors.jpg"), "color")[..., 3] > 0
    assert (stored.max(axis=2) > 0).sum() > 1.4 * given.sum()
    assert given[10:30, 12:36].all()
    assert given.sum() < 1.1 * 20 * 24


def test_lines_on_white_are_said_to_look_inverted_without_the_advice_for_masks(caplog):
    paper = np.full((8, 8), 255, np.uint8)
    paper[3] = 0
    assert read_edges(Photo(pixels=np.dstack([paper] * 3), gray=True), "sketch").sum() == 56
    assert "88 % of the sketch is line; it looks inverted (lines are white on black" in caplog.text
    assert "--invert-mask" not in caplog.text


def test_a_photo_is_no_sketch(make_photo):
    with pytest.raises(MaskError, match="no sketch but an image of many colors, as a photo is; lines are white on bla"):
        read_edges(Photo(pixels=make_photo(40, 56)), "sketch")
