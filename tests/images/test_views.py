"""Small pictures for screens."""

from __future__ import annotations

import numpy as np
from PIL import Image

from inpaint.images.photo import photo_of_array
from inpaint.images.views import cover_of, view_of, write_view


def test_a_view_is_never_larger_than_asked_for_nor_enlarged(make_photo):
    photo = photo_of_array(make_photo(100, 200))
    assert view_of(photo, longest_px=50).size == (50, 25)
    assert np.array_equal(np.asarray(view_of(photo, longest_px=500)), photo.pixels)


def test_a_view_of_16_bit_gray_with_alpha_is_rgba_of_8_bits():
    values = np.full((6, 8, 2), 65535, np.uint16)
    values[..., 0] = 257 * 100
    values[0, 0, 1] = 0
    view = np.asarray(view_of(photo_of_array(values), longest_px=100))
    assert view.shape == (6, 8, 4)
    assert (view[..., :3] == 100).all()
    assert view[0, 0, 3] == 0


def test_a_view_is_written_as_webp(tmp_path, make_photo):
    write_view(photo_of_array(make_photo(40, 56)), tmp_path / "view.webp", longest_px=28)
    with Image.open(tmp_path / "view.webp") as image:
        assert (image.format, image.size) == ("WEBP", (28, 20))


def test_a_cover_is_opaque_in_the_hole_alone():
    hole = np.zeros((10, 20), bool)
    hole[2:5, 3:9] = True
    cover = cover_of(hole, longest_px=100)
    assert np.array_equal(np.asarray(cover.getchannel("A")) == 255, hole)
    small = np.asarray(cover_of(hole, longest_px=10).getchannel("A"))
    assert small.shape == (5, 10)
    assert small[1, 2] == 255
