import numpy as np
import pytest
from pydantic import ValidationError
from skimage import color, data

from inpaint.images.edges import CannyOptions, canny, luma


@pytest.fixture(scope="module")
def gray():
    return luma(data.astronaut()[40:180, 150:310] / 255)


def hole_of(shape):
    known = np.ones(shape, bool)
    known[30:90, 40:120] = False
    return known


def test_gray_is_that_of_scikit_image():
    photo = data.chelsea()[:20, :30]
    assert np.allclose(luma(photo / 255), color.rgb2gray(photo), atol=1e-12)


def test_known_edges_do_not_depend_on_what_the_hole_holds(gray):
    known = hole_of(gray.shape)
    expected = canny(gray, 2.0, known=known)
    noise = np.where(known, gray, np.random.default_rng(0).random(gray.shape))
    for content in (noise, np.where(known, gray, np.nan)):
        assert np.array_equal(canny(content, 2.0, known=known), expected)
    # Without being told of the hole the detector sees into it.
    leaked = (canny(gray, 2.0) != canny(noise, 2.0)) & known
    assert leaked.sum() > 20


def test_the_hole_and_its_rim_hold_no_edges(gray):
    known = hole_of(gray.shape)
    found = canny(gray, 2.0, known=known)
    assert found.sum() > 100
    assert not found[29:91, 39:121].any()
    border = np.ones_like(found)
    border[1:-1, 1:-1] = False
    assert not (found & border).any()


@pytest.mark.parametrize("sigma_px", [1.0, 2.0, 4.0])
def test_a_mirrored_picture_has_the_mirrored_edges(gray, sigma_px):
    known = hole_of(gray.shape)
    for where in (None, known):
        mirrored = None if where is None else where[:, ::-1]
        assert np.array_equal(
            canny(gray[:, ::-1], sigma_px, known=mirrored)[:, ::-1], canny(gray, sigma_px, known=where)
        )


def test_a_strong_step_is_found_and_a_weak_one_is_not():
    picture = np.zeros((40, 50))
    picture[:, 25:] = 1.0
    columns = np.flatnonzero(canny(picture, 2.0)[20])
    assert columns.size
    assert set(columns) <= {24, 25}
    assert not canny(0.05 * picture, 2.0).any()


def test_sigma_is_fixed_or_a_whole_number_of_the_range():
    rng = np.random.default_rng(0)
    assert {CannyOptions(sigma_px=1.5).draw_px(rng) for _ in range(5)} == {1.5}
    drawn = [CannyOptions(range_px=(1, 4)).draw_px(rng) for _ in range(200)]
    assert set(drawn) == {1.0, 2.0, 3.0, 4.0}
    assert min(drawn.count(value) for value in set(drawn)) > 25


@pytest.mark.parametrize("pair", [(0, 2), (3, 2)])
def test_a_range_that_makes_no_sense_is_refused(pair):
    with pytest.raises(ValidationError, match="the smaller first"):
        CannyOptions(range_px=pair)
