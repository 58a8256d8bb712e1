import numpy as np
import pytest

from inpaint.blending.painterly.masks import blurred, inner_rim, loose, wide_rim


def test_masks_of_the_authors_program(parity):
    cases = parity.cases("luanfujun_postprocess")
    tight = cases["tight"] / 255
    assert np.allclose(blurred(tight, 35, 35 / 3), cases["dilate_filtered"], rtol=0, atol=1e-12)
    assert np.array_equal(loose(tight), cases["loose"] > 0)
    assert np.allclose(wide_rim(cases["soft_mask_input"] / 255), cases["soft_mask"], rtol=0, atol=1e-12)


def test_the_inner_rim_is_nothing_outside_and_all_of_it_a_few_pixels_inside():
    mask = np.zeros((24, 30))
    mask[4:20, 0:20] = 1
    weight = inner_rim(mask)
    assert not weight[mask == 0].any()
    assert weight[8:16, 0:16] == pytest.approx(1)  # the frame's border is none of the mask's
    assert np.all(np.diff(weight[12, 14:21]) <= 0)
