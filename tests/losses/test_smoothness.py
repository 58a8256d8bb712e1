"""Smoothness of a map against SciPy's Sobel filter."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from inpaint.losses import parse_losses


def loss(numbers):
    losses = parse_losses({"it": {"kind": "smoothness", "of": "numbers", "weight": 1.0}})
    return losses.of_record({"numbers": numbers})["it"]


def test_it_is_the_mean_magnitude_of_sobel_s_gradient():
    maps = np.random.default_rng(0).random((2, 4, 5, 7))
    slopes = []
    for along, beside in ((3, 2), (2, 3)):
        steps = ndimage.correlate1d(maps, [-1, 0, 1], axis=along, mode="nearest")
        slopes.append(ndimage.correlate1d(steps, [1, 2, 1], axis=beside, mode="nearest") / 8)
    expected = np.sqrt(slopes[0] ** 2 + slopes[1] ** 2 + 1e-6).mean()
    assert loss(torch.from_numpy(maps)).item() == pytest.approx(expected, rel=1e-12)


def test_a_ramp_has_its_slope_and_a_constant_next_to_nothing():
    ramp = 0.5 * torch.arange(100.0, dtype=torch.float64).expand(1, 1, 6, 100)
    assert loss(ramp).item() == pytest.approx(0.5, rel=0.02)  # half of it at the ends, against borders that repeat
    assert loss(torch.full((1, 2, 4, 4), 3.0)).item() == pytest.approx(1e-3, rel=1e-4)


def test_a_constant_has_a_finite_slope():
    maps = torch.zeros(1, 1, 4, 4, requires_grad=True)
    loss(maps).backward()
    assert maps.grad.isfinite().all()
