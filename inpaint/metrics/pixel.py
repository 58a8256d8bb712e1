"""How far painted pixels are from the original: L1, MSE and PSNR, in the hole and over the whole image.

The functions take `painted` and `image`, (B, 3, H, W) in [0, 1], and perhaps `mask`, (B, 1, H, W), 1 = hole, to look at
the hole only, and return one number per image, (B,) float64 (float32 on devices without it).
"""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint.errors import InputError
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Compared, ImageMeasure, Pair, RegionMeasure, mean_over
from inpaint.metrics.ssim import RADIUS_PX, WINDOW_PX

PSNR_CAP_DB = 100.0
"""PSNR of identical images would be infinite and spoil every mean: no PSNR is reported above this."""


class L1(RegionMeasure):
    """Mean absolute difference over pixels and channels."""

    family = "l1"
    better, low, high = "lower", 0.0, 1.0
    title, scale, decimals = "L1 %", 100.0, 2

    def of_pair(self, pair: Pair, hole: Tensor | None) -> Tensor:
        """Average the absolute differences."""
        return mean_over(pair.absolute, hole)


class MSE(RegionMeasure):
    """Mean squared difference over pixels and channels, of values from 0 to 255, as harmonization is measured.

    `mse_hole` is fMSE, that of the foreground (Cong et al., "DoveNet", CVPR 2020; Sofiiuk et al., WACV 2021).
    """

    family = "mse"
    better, low, high = "lower", 0.0, 255.0**2
    title, decimals = "MSE (0-255)", 1

    def of_pair(self, pair: Pair, hole: Tensor | None) -> Tensor:
        """Average the squares."""
        return mean_over(pair.squared, hole) * 255.0**2


class PSNR(RegionMeasure):
    """Peak signal-to-noise ratio over pixels and channels in dB, data range 1, at most PSNR_CAP_DB."""

    family = "psnr"
    better, low, high = "higher", 0.0, PSNR_CAP_DB
    title, decimals = "PSNR dB", 2

    def of_pair(self, pair: Pair, hole: Tensor | None) -> Tensor:
        """Take the logarithm of the mean of the squares of one image."""
        return (-10 * torch.log10(mean_over(pair.squared, hole))).clamp_max(PSNR_CAP_DB)


class KnownPSNR(ImageMeasure):
    """Peak signal-to-noise ratio over the known pixels, which a model that finds the hole itself may spoil.

    Args:
        raw: Of what was painted everywhere instead of the completed image.
    """

    better, low, high = "higher", 0.0, PSNR_CAP_DB
    title, decimals = "PSNR dB, known", 2

    def __init__(self, *, raw: bool = False) -> None:
        self.raw = raw
        self.name = f"psnr_known{'_raw' if raw else ''}"
        self.needs = self.needs | {"raw"} if raw else self.needs

    def values(self, compared: Compared) -> Tensor:
        """Take the logarithm of the mean of the squares outside the hole."""
        pair = compared.raw_pair if self.raw else compared.pair
        return (-10 * torch.log10(mean_over(pair.squared, ~compared.hole))).clamp_max(PSNR_CAP_DB)

    def counts(self, compared: Compared) -> Tensor:
        """Leave out images without a known pixel."""
        return super().counts(compared) & ~compared.hole.flatten(1).all(dim=1)


class SSIM(RegionMeasure):
    """Structural similarity (`inpaint.metrics.ssim`).

    In the hole: averaged over hole pixels, whose windows reach into the known area and over mirrored borders. Of the
    image: averaged over pixels whose window lies inside it; over all if a side is below 11.
    """

    family = "ssim"
    better, low, high = "higher", -1.0, 1.0
    title = "SSIM"

    def of_pair(self, pair: Pair, hole: Tensor | None) -> Tensor:
        """Average the map."""
        values = pair.similarity
        if hole is None and min(values.shape[1:]) >= WINDOW_PX:
            values = values[:, RADIUS_PX:-RADIUS_PX, RADIUS_PX:-RADIUS_PX]
        return mean_over(values, hole)


class HoleRatio(ImageMeasure):
    """Share of hole pixels."""

    name, title = "hole_ratio", "hole %"
    better, low, high = "neither", 0.0, 1.0
    scale, decimals = 100.0, 1

    def values(self, compared: Compared) -> Tensor:
        """Count hole pixels."""
        return wide(compared.hole).mean(dim=(1, 2))


def l1(painted: Tensor, image: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean absolute difference, in [0, 1]; NaN where a mask has no hole. Raises InputError for unlike shapes."""
    return _of_pair(L1(), painted, image, mask)


def psnr(painted: Tensor, image: Tensor, mask: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB, at most PSNR_CAP_DB; otherwise as `l1`."""
    return _of_pair(PSNR(), painted, image, mask)


def ssim(painted: Tensor, image: Tensor, mask: Tensor | None = None) -> Tensor:
    """Structural similarity, at most 1; otherwise as `l1`."""
    return _of_pair(SSIM(), painted, image, mask)


def hole_ratio(mask: Tensor) -> Tensor:
    """Share of hole pixels of each mask (B, 1, H, W), in [0, 1]."""
    if mask.ndim != 4 or mask.shape[1] != 1:
        raise InputError(f"mask must have shape (B, 1, H, W), got {tuple(mask.shape)}")
    return wide(mask > 0.5).mean(dim=(1, 2, 3))


def _of_pair(measure: RegionMeasure, painted: Tensor, image: Tensor, mask: Tensor | None) -> Tensor:
    pair = Pair(painted, image)
    return measure.of_pair(pair, None if mask is None else Compared(completed=painted, image=image, mask=mask).hole)
