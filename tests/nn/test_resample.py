"""Halving and doubling against the definition: zeros between the places, a filter of sixteen taps, zeros around."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from inpaint.nn.resample import double, halve

TAPS = np.outer([1, 3, 3, 1], [1, 3, 3, 1])


def features(height=6, width=10, dtype=torch.float64):
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=dtype)


def each(x, change):
    return np.stack([[change(plane) for plane in image] for image in x.numpy()])


def halved(plane):
    return convolve2d(np.pad(plane, 1), TAPS / 64, mode="valid")[::2, ::2]


def doubled(plane):
    spread = np.zeros((2 * plane.shape[0], 2 * plane.shape[1]))
    spread[::2, ::2] = plane
    return convolve2d(np.pad(spread, ((2, 1), (2, 1))), TAPS / 16, mode="valid")


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize(("change", "expected"), [(halve, halved), (double, doubled)])
def test_sizes_change_as_the_filter_says(change, expected, gradients, layout):
    x = features()
    with torch.set_grad_enabled(gradients):
        got = change(x.contiguous(memory_format=layout))
    np.testing.assert_allclose(got.numpy(), each(x, expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 1)])
def test_few_places_are_doubled_as_well(size):
    x = features(*size)
    with torch.no_grad():
        np.testing.assert_allclose(double(x).numpy(), each(x, doubled), rtol=0, atol=1e-12)


@pytest.mark.parametrize("change", [halve, double])
def test_gradients_are_those_of_finite_differences(change):
    assert torch.autograd.gradcheck(change, features(2, 4).requires_grad_())
