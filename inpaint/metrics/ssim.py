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

from inpaint.nn.padding import pad

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
    around = (RADIUS_PX,) * 4
    luminance, structure = ssim_terms(pad(a, around, mode="symmetric"), pad(b, around, mode="symmetric"))
    return (luminance * structure).mean(dim=1)


def ssim_terms(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two factors of SSIM wherever the window lies inside the images.

    a, b: (B, C, H, W) in [0, 1], of at least 11 pixels a side. Returns the luminance (eq. 6) and the product of
    contrast and structure (eq. 9 and 10), each (B, C, H - 10, W - 10).
    """
    if a.device.type != "cpu":
        return _terms(a, b)
    tops = range(0, a.shape[-2] - 2 * RADIUS_PX, _BAND_PX)
    rows = _BAND_PX + 2 * RADIUS_PX
    images = []
    for one, other in zip(torch.split(a, 1), torch.split(b, 1), strict=True):
        bands = [_terms(one[..., top : top + rows, :], other[..., top : top + rows, :]) for top in tops]
        images.append([torch.cat(parts, dim=-2) for parts in zip(*bands, strict=True)])
    luminance, structure = (torch.cat(parts) for parts in zip(*images, strict=True))
    return luminance, structure


def _terms(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    moments = torch.stack((a, b, a * a, b * b, a * b))  # (5, B, C, H, W)
    moments = _blur(_blur(moments, dim=-2), dim=-1)  # (5, B, C, H - 10, W - 10)
    mean_a, mean_b, mean_aa, mean_bb, mean_ab = moments.unbind()
    # Rounding can leave a variance of a flat area slightly below zero.
    variances = (mean_aa - mean_a**2).clamp_min(0) + (mean_bb - mean_b**2).clamp_min(0)
    covariance = mean_ab - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return luminance, (2 * covariance + C2) / (variances + C2)


def _blur(x: Tensor, *, dim: int) -> Tensor:
    """Convolve one axis with the Gaussian window; the axis shrinks by 10.

    Eleven shifted sums: on the CPU much faster than conv2d in float64.
    """
    size = x.shape[dim] - 2 * RADIUS_PX
    total = x.narrow(dim, 0, size) * _TAPS[0]
    for shift, tap in enumerate(_TAPS[1:], start=1):
        total.add_(x.narrow(dim, shift, size), alpha=tap)
    return total
