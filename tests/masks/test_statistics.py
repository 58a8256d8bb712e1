"""The share of the image that published masks remove, against figures measured with the public programs.

The figures come from the original code of each project (brush, boxes and their union: 3000 draws; the others at least
2000 draws with NumPy's seed 0, CoModGAN 8000 and 5000 draws; vcnet from code of its own that draws the program's stored
mask exactly, 3000 draws). Means must agree within 0.01.
"""

from __future__ import annotations

import numpy as np
import pytest

from inpaint.masks import hole_ratio, parse_mask

DRAWS = 2500

# name, size: mean, standard deviation, percentiles 5, 25, 50, 75, 95
AT_256 = {
    "brush": (0.151, 0.079, 0.036, 0.084, 0.141, 0.204, 0.289),
    "deepfill_box": (0.192, 0.024, 0.153, 0.173, 0.190, 0.208, 0.234),
    "deepfill": (0.309, 0.068, 0.207, 0.253, 0.301, 0.352, 0.430),
    "lama_thin_256": (0.294, 0.133, 0.073, 0.182, 0.303, 0.409, 0.486),
    "lama_medium_256": (0.245, 0.135, 0.018, 0.148, 0.268, 0.346, 0.440),
    "lama_thick_256": (0.405, 0.222, 0.074, 0.219, 0.388, 0.581, 0.778),
    "lama_thin_256_protocol": (0.291, 0.128, 0.075, 0.184, 0.298, 0.400, 0.475),
    "lama_medium_256_protocol": (0.236, 0.131, 0.020, 0.131, 0.260, 0.333, 0.424),
    "lama_thick_256_protocol": (0.264, 0.129, 0.057, 0.164, 0.263, 0.368, 0.476),
    "lama_training": (0.354, 0.203, 0.068, 0.196, 0.322, 0.489, 0.735),
    "mat_large_256": (0.412, 0.184, 0.090, 0.279, 0.427, 0.544, 0.700),
    "mat_small_256": (0.222, 0.147, 0.029, 0.111, 0.199, 0.314, 0.500),
    "comodgan_256": (0.731, 0.182, 0.356, 0.637, 0.775, 0.866, 0.949),
    "pluralistic": (0.521, 0.126, 0.305, 0.422, 0.536, 0.625, 0.701),
    "pluralistic_boxes": (0.315, 0.151, 0.090, 0.198, 0.303, 0.416, 0.586),
    "vcnet": (0.355, 0.070, 0.239, 0.308, 0.355, 0.404, 0.469),
}
AT_512 = {
    "lama_thin_512": (0.293, 0.137, 0.061, 0.180, 0.307, 0.410, 0.489),
    "lama_medium_512": (0.300, 0.160, 0.041, 0.163, 0.312, 0.427, 0.544),
    "lama_thick_512": (0.454, 0.249, 0.070, 0.246, 0.444, 0.662, 0.857),
    "lama_thin_512_protocol": (0.287, 0.134, 0.062, 0.176, 0.297, 0.405, 0.477),
    "lama_medium_512_protocol": (0.274, 0.139, 0.045, 0.150, 0.294, 0.391, 0.471),
    "lama_thick_512_protocol": (0.265, 0.133, 0.054, 0.159, 0.268, 0.377, 0.477),
    "mat_large_512": (0.406, 0.172, 0.127, 0.286, 0.403, 0.528, 0.692),
    "mat_small_512": (0.219, 0.141, 0.034, 0.110, 0.194, 0.305, 0.488),
    "comodgan_512": (0.643, 0.185, 0.281, 0.535, 0.674, 0.777, 0.894),
}


def draw_ratios(name, side, draws=DRAWS):
    rng, mask = np.random.default_rng(7), parse_mask(name)
    return np.array([hole_ratio(mask.draw(rng, side, side)) for _ in range(draws)])


def check(ratios, reference):
    mean, deviation, *percentiles = reference
    assert ratios.mean() == pytest.approx(mean, abs=0.01)
    assert ratios.std() == pytest.approx(deviation, abs=0.012)
    assert np.percentile(ratios, (5, 25, 50, 75, 95)) == pytest.approx(percentiles, abs=0.03)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "vcnet" else n for n in AT_256])
def test_hole_ratios_at_256_are_those_of_the_public_program(name):
    check(draw_ratios(name, 256), AT_256[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", AT_512)
def test_hole_ratios_at_512_are_those_of_the_public_program(name):
    check(draw_ratios(name, 512), AT_512[name])


@pytest.mark.parametrize("name", ["deepfill", "lama_thick_512", "mat_large_256", "pluralistic", "mmagic"])
@pytest.mark.parametrize("side", [64, 512])
def test_a_mask_removes_nearly_the_same_share_at_every_size(name, side):
    nominal = draw_ratios(name, 256, 800)
    assert draw_ratios(name, side, 800).mean() == pytest.approx(nominal.mean(), abs=0.065)
