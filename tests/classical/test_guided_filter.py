import numpy as np
import pytest

from inpaint.classical.guided_filter import guided_filter


def test_images_are_filtered_as_by_plain_loops(parity):
    cases = parity.cases("luanfujun_postprocess")
    guide, image = cases["guide"] / 255, cases["image"] / 255
    for radius_px, eps in ((2, 0.01), (4, 0.04), (8, 0.01)):
        expected = cases[f"guided_r{radius_px}_eps{eps}"]
        assert np.allclose(guided_filter(guide, image, radius_px=radius_px, eps=eps), expected, rtol=0, atol=1e-12)
    repaired = image + guide - guided_filter(guide, guide, radius_px=8, eps=0.01)
    assert np.allclose(repaired, cases["repaired"], rtol=0, atol=1e-12)


def test_what_is_an_affine_function_of_the_guide_stays(make_photo):
    guide = make_photo(20, 27) / 255
    image = guide @ np.array([[0.2, 0.5], [0.1, -0.4], [0.3, 0.2]]) + 0.1
    assert guided_filter(guide, image, radius_px=3, eps=1e-9) == pytest.approx(image, abs=1e-5)


def test_with_a_flat_guide_it_is_a_mean_of_means():
    image = np.zeros((9, 11))
    image[4, 5] = 1
    filtered = guided_filter(np.full((9, 11, 3), 0.3), image, radius_px=1, eps=0.01)
    assert filtered[4, 5] == pytest.approx(9 / 81)
    assert filtered.sum() == pytest.approx(1)
    assert filtered[0, 0] == 0
