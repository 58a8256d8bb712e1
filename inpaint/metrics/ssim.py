"""Structural similarity as a map, so that it can be averaged over a hole.

Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13, with the paper's constants: Gaussian window of 11 x 11 and sigma 1.5,
K1 = 0.01, K2 = 0.03, data range 1, each color channel by itself, population (co)variances. At the borders the image
continues as its mirror image (the edge pixel twice), which is what scikit-image does with `gaussian_weights=True,
sigma=1.5, use_sample_covariance=False`: maps and means agree with it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from inpaint.nn.padding import mirrored

WINDOW_PX = 11
SIGMA_PX = 1.5
RADIUS_PX = WINDOW_PX // 2
C1 = 0.01**2
C2 = 0.03**2

_GAUSSIAN = [math.exp(-((x - RADIUS_PX) ** 2) / (2 * SIGMA_PX**2)) for x in range(WINDOW_PX)]
_TAPS = [value / sum(_GAUSSIAN) for value in _GAUSSIAN]
_BAND_PX = 32  # rows at a time on the CPU, so that the five moments stay in its cache: up to 9 times faster


def ssim_map(a: Tensor, b: Tensor) -> Tensor:
    """Return the SSIM of every pixel, averaged over channels.

    a, b: (B, C, H, W) in [0, 1], of any size from one pixel on; cast up to float64 by the caller where that matters.
    Returns (B, H, W), at most 1.
    """
    if a.device.type != "cpu":
        return _ssim_rows(a, b, 0, a.shape[-2])
    height = a.shape[-2]
    tops = range(0, height, _BAND_PX)
    images = [
        torch.cat([_ssim_rows(a[i : i + 1], b[i : i + 1], top, min(top + _BAND_PX, height)) for top in tops], dim=1)
        for i in range(len(a))
    ]
    return torch.cat(images)


def _ssim_rows(a: Tensor, b: Tensor, top: int, bottom: int) -> Tensor:
    """Return rows top to bottom (exclusive) of the map, (B, bottom - top, W)."""
    rows = mirrored(a.shape[-2], RADIUS_PX, RADIUS_PX, a.device)[top : bottom + 2 * RADIUS_PX]
    a, b = a.index_select(-2, rows), b.index_select(-2, rows)  # (B, C, bottom - top + 10, W)
    moments = torch.stack((a, b, a * a, b * b, a * b))  # (5, B, C, bottom - top + 10, W)
    moments = _blur(moments, dim=-2)
    moments = _blur(moments.index_select(-1, mirrored(a.shape[-1], RADIUS_PX, RADIUS_PX, a.device)), dim=-1)
    mean_a, mean_b, mean_aa, mean_bb, mean_ab = moments.unbind()
    # Rounding can leave a variance of a flat area slightly below zero.
    variances = (mean_aa - mean_a**2).clamp_min(0) + (mean_bb - mean_b**2).clamp_min(0)
    covariance = mean_ab - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    structure = (2 * covariance + C2) / (variances + C2)
    return (luminance * structure).mean(dim=1)  # (B, bottom - top, W)


def _blur(x: Tensor, *, dim: int) -> Tensor:
    """Convolve one axis with the Gaussian window; the axis shrinks by 10.

    Eleven shifted sums: on the CPU much faster than conv2d in float64.
    """
    size = x.shape[dim] - 2 * RADIUS_PX
    total = x.narrow(dim, 0, size) * _TAPS[0]
    for shift, tap in enumerate(_TAPS[1:], start=1):
        total.add_(x.narrow(dim, shift, size), alpha=tap)
    return total
