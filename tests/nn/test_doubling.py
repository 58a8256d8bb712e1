"""Convolving an enlarged image from the small one."""

import pytest
import torch
import torch.nn.functional as F

from inpaint.nn.doubling import convolve_doubled, doubled, phase_kernels


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 7)])
@pytest.mark.parametrize("biased", [True, False])
def test_it_equals_a_convolution_of_the_enlarged_image_mirrored_at_its_border(size, biased):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *size, generator=draw, dtype=torch.float64)
    weight = torch.randn(4, 3, 3, 3, generator=draw, dtype=torch.float64)
    bias = torch.randn(4, generator=draw, dtype=torch.float64) if biased else None
    large = torch.nn.Upsample(scale_factor=2)(x)
    assert torch.equal(doubled(x), large)
    expected = F.conv2d(F.pad(large, (1, 1, 1, 1), mode="reflect"), weight, bias)
    assert (convolve_doubled(x, phase_kernels(weight), bias) - expected).abs().max() < 1e-12
