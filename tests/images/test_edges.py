import numpy as np
import pytest
from pydantic import ValidationError
from skimage import color, data

from inpaint.images.edges import Edges, canny, gray_of


@pytest.fixture(scope="module")
def gray():
    return gray_of(data.astronaut()[40:180, 150:310])


def hole_of(shape):
    known = np.ones(shape, bool)
    known[30:90, 40:120] = False
    return known


def test_gray_is_that_of_scikit_image():
    photo = data.chelsea()[:20, :30]
    assert np.allclose(gray_of(photo), color.rgb2gray(photo), atol=1e-12)


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
def test_a_mirrored_image_has_the_mirrored_edges(gray, sigma_px):
    known = hole_of(gray.shape)
    for where in (None, known):
        mirrored = None if where is None else where[:, ::-1]
        assert np.array_equal(
            canny(gray[:, ::-1], sigma_px, known=mirrored)[:, ::-1], canny(gray, sigma_px, known=where)
        )


def test_a_strong_step_is_found_and_a_weak_one_is_not():
    image = np.zeros((40, 50))
    image[:, 25:] = 1.0
    columns = np.flatnonzero(canny(image, 2.0)[20])
    assert columns.size
    assert set(columns) <= {24, 25}
    assert not canny(0.05 * image, 2.0).any()


def test_a_sample_draws_its_smoothing_from_the_range_and_validation_has_the_fixed_one():
    image, mask = data.astronaut()[40:100, 150:230], np.zeros((60, 80), np.uint8)

    def made(maker, rng):
        return maker.make(image, mask, companion=None, rng=rng)

    fixed = {sigma: canny(gray_of(image), float(sigma)) for sigma in (1, 2, 3, 4)}
    rng = np.random.default_rng(0)
    drawn = [made(Edges(range_px=(1, 4)), rng) for _ in range(30)]
    seen = {sigma for each in drawn for sigma, edges in fixed.items() if np.array_equal(each, edges)}
    assert seen == {1, 2, 3, 4}
    assert np.array_equal(made(Edges(sigma_px=3, range_px=(1, 4)), None), fixed[3])
    assert np.array_equal(made(Edges(sigma_px=1), rng), fixed[1])


@pytest.mark.parametrize("pair", [(0, 2), (3, 2)])
def test_a_range_that_makes_no_sense_is_refused(pair):
    with pytest.raises(ValidationError, match="the smaller first"):
        Edges(range_px=pair)
