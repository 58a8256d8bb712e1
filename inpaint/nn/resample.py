"""Halving and doubling images with the binomial filter [1, 3, 3, 1], zeros beyond the border, as StyleGAN2 does."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.nn.inference import exporting

TAPS = (1.0, 3.0, 3.0, 1.0)


def _kernels(x: Tensor, divisor: float) -> Tensor:
    """Return the filter for each channel of x, (C, 1, 4, 4)."""
    taps = torch.tensor(TAPS, dtype=x.dtype, device=x.device)
    kernels = (torch.outer(taps, taps) / divisor).repeat(int(x.shape[1]), 1, 1, 1)
    return kernels.contiguous(memory_format=torch.channels_last)


def halve(x: Tensor) -> Tensor:
    """Return x (B, C, H, W) at half its size; the sides must be even.

    Filtered with outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64, of which every second place is kept.
    """
    return F.conv2d(x, _kernels(x, 64.0), stride=2, padding=1, groups=int(x.shape[1]))


def double(x: Tensor) -> Tensor:
    """Return x (B, C, H, W) at twice its size.

    Zeros between the places, filtered with outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16. Without gradients on a CPU that is
    linear interpolation, whose border is repeated: with zeros there, a place at the border has 3/4 of it.
    """
    if torch.is_grad_enabled() or not x.is_cpu or exporting():
        return F.conv_transpose2d(x, _kernels(x, 16.0), stride=2, padding=1, groups=int(x.shape[1]))
    y = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    for border in (y[..., 0, :], y[..., -1, :], y[..., 0], y[..., -1]):
        border *= 0.75
    return y
