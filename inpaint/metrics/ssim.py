"""Structural similarity as a map, so that it can be averaged over a hole.

Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13, with the paper's constants: Gaussian window of 11 x 11 and sigma 1.5,
K1 = 0.01, K2 = 0.03, data range 1, each colour channel by itself, population (co)variances. At the borders the picture
continues as its mirror image (the edge pixel twice), which is what scikit-image does with `gaussian_weights=True,
sigma=1.5, use_sample_covariance=False`: maps and means agree with it.
"""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW_PX = 11
SIGMA_PX = 1.5
RADIUS_PX = WINDOW_PX // 2
C1 = 0.01**2
C2 = 0.03**2


def ssim_map(a: Tensor, b: Tensor) -> Tensor:
    """Return the SSIM of every pixel, averaged over channels.

    a, b: (B, C, H, W) in [0, 1], of any size from one pixel on; cast up to float64 by the caller where that matters.
    Returns (B, H, W), at most 1.
    """
    moments = _blur(torch.cat((a, b, a * a, b * b, a * b)))  # (5B, C, H, W)
    mean_a, mean_b, mean_aa, mean_bb, mean_ab = moments.chunk(5)
    # Rounding can leave a variance of a flat area slightly below zero.
    variances = (mean_aa - mean_a**2).clamp_min(0) + (mean_bb - mean_b**2).clamp_min(0)
    covariance = mean_ab - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    structure = (2 * covariance + C2) / (variances + C2)
    return (luminance * structure).mean(dim=1)  # (B, H, W)


def _blur(x: Tensor) -> Tensor:
    """Convolve the last two axes with the Gaussian window. The shape stays."""
    offsets = torch.arange(WINDOW_PX, dtype=x.dtype, device=x.device) - RADIUS_PX
    window = torch.exp(-(offsets**2) / (2 * SIGMA_PX**2))
    taps = (window / window.sum()).tolist()
    for dim in (-2, -1):
        size = x.shape[dim]
        x = x.index_select(dim, _mirrored(size, x.device))  # (..., size + 10)
        # Eleven shifted sums: on the CPU several times faster than conv2d in float64, and exact for any size.
        total = x.narrow(dim, 0, size) * taps[0]
        for shift, tap in enumerate(taps[1:], start=1):
            total.add_(x.narrow(dim, shift, size), alpha=tap)
        x = total
    return x


def _mirrored(size: int, device: torch.device) -> Tensor:
    """Return the indices of an axis continued by RADIUS_PX on both sides: ... 1 0 | 0 1 2 ... | 2 1 ..., repeatedly."""
    position = torch.arange(-RADIUS_PX, size + RADIUS_PX, device=device) % (2 * size)
    return torch.minimum(position, 2 * size - 1 - position)
