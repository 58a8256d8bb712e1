import numpy as np
import pytest
from PIL import Image

from inpaint.errors import InputError, UsageError
from inpaint.images.canvas import Margins, expanded, parse_margins
from inpaint.images.photo import photo_of_array
from inpaint.images.reading import read_photo
from inpaint.images.writing import write_photo

MARGINS = Margins(3, 0, 5, 2)


@pytest.mark.parametrize("given", ["1,2,3", "0,0,0,0", "1,-2,3,4", "a", "1.5,2,3,4", (1, 2, 3), (1, 2, 3, -4), None])
def test_what_says_no_margins_is_refused(given):
    with pytest.raises(UsageError, match="does not say by what to expand: write left,top,right,bottom"):
        parse_margins(given)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_what_was_there_keeps_its_place_and_bits_and_the_rest_is_an_opaque_hole(channels, dtype):
    rng = np.random.default_rng(0)
    values = (rng.random((12, 17, channels)) * (1 if dtype == np.float32 else 200)).astype(dtype)
    photo = photo_of_array(values)
    hole = rng.random((12, 17)) < 0.2
    larger, its_hole = expanded(photo, hole, MARGINS, max_pixels=10**6)
    inside = (slice(0, 12), slice(3, 20))
    assert (larger.height, larger.width) == its_hole.shape == (14, 25)
    assert np.array_equal(larger.pixels[inside], photo.pixels)
    assert np.array_equal(its_hole[inside], hole)
    outside = np.ones((14, 25), bool)
    outside[inside] = False
    assert its_hole[outside].all()
    if photo.alpha is not None:
        assert np.array_equal(larger.alpha[inside], photo.alpha)
        assert (larger.alpha[outside] == {"u1": 255, "u2": 65535, "f4": 1}[np.dtype(dtype).str[1:]]).all()


def test_a_palette_keeps_its_samples_in_a_larger_file(tmp_path, make_photo):
    image = Image.fromarray(make_photo(20, 30)).quantize(40)
    image.save(tmp_path / "p.png")
    photo, hole = expanded(read_photo(tmp_path / "p.png"), np.zeros((20, 30), bool), MARGINS, max_pixels=10**6)
    filled = photo.with_fill(np.full((22, 38, 3), 0.3), hole)
    write_photo(filled, tmp_path / "o.png")
    with Image.open(tmp_path / "o.png") as written:
        assert (written.mode, written.size) == ("P", (38, 22))
        assert np.array_equal(np.asarray(written)[:20, 3:33], np.asarray(image))
        assert written.convert("RGB").getpixel((0, 0)) == (76, 76, 76)


def test_further_pages_are_expanded_alike(tmp_path, make_photo):
    first, *others = [Image.fromarray(make_photo(20, 30, seed)) for seed in range(3)]
    first.save(tmp_path / "p.tif", save_all=True, append_images=others)
    several = read_photo(tmp_path / "p.tif", first_page=False)
    photo, _ = expanded(several, np.zeros((20, 30), bool), MARGINS, max_pixels=10**6)
    assert [page.pixels.shape for page in photo.pages] == [(22, 38, 3)] * 2


def test_a_canvas_of_too_many_pixels_is_refused():
    photo = photo_of_array(np.zeros((12, 17, 3), np.uint8))
    with pytest.raises(InputError, match="expanded it would have 25 x 14 pixels, more than the limit of 349"):
        expanded(photo, np.zeros((12, 17), bool), MARGINS, max_pixels=349)
