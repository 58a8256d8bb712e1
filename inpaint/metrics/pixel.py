"""How far a completed image is from the original, in the hole and over the whole image.

Every function takes `completed` and `image`, (B, 3, H, W) in [0, 1], and returns one number per image, (B,) float64
(float32 on devices without it). Means over several images are means of these numbers, never of pixels.

`mask`: (B, 1, H, W), 1 = hole; above 0.5 counts as hole. An image without a hole has no hole error: NaN.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from inpaint.errors import InputError
from inpaint.metrics.accumulate import wide
from inpaint.metrics.ssim import RADIUS_PX, WINDOW_PX, ssim_map

PSNR_CAP_DB = 100.0
"""PSNR of identical images would be infinite and spoil every mean: no PSNR is reported above this."""


def l1_hole(completed: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference over hole pixels and channels, in [0, 1]."""
    hole = _checked_hole(completed, image, mask)
    return _hole_mean((wide(completed) - wide(image)).abs().mean(dim=1), hole)


def psnr_hole(completed: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Peak signal-to-noise ratio over hole pixels and channels in dB, data range 1, at most PSNR_CAP_DB."""
    hole = _checked_hole(completed, image, mask)
    return _decibels(_hole_mean((wide(completed) - wide(image)).square().mean(dim=1), hole))


def ssim_hole(completed: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """SSIM averaged over hole pixels. Windows at hole pixels reach into the known area and over mirrored borders."""
    hole = _checked_hole(completed, image, mask)
    return _hole_mean(ssim_map(wide(completed), wide(image)), hole)


def l1(completed: Tensor, image: Tensor) -> Tensor:
    """Mean absolute difference over the whole image, in [0, 1]."""
    _check_pair(completed, image)
    return (wide(completed) - wide(image)).abs().mean(dim=(1, 2, 3))


def psnr(completed: Tensor, image: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of the whole image in dB, data range 1, at most PSNR_CAP_DB."""
    _check_pair(completed, image)
    return _decibels((wide(completed) - wide(image)).square().mean(dim=(1, 2, 3)))


def ssim(completed: Tensor, image: Tensor) -> Tensor:
    """SSIM of the whole image: mean over pixels whose window lies inside it; over all if a side is below 11."""
    _check_pair(completed, image)
    return _valid_mean(ssim_map(wide(completed), wide(image)))


def hole_ratio(mask: Tensor) -> Tensor:
    """Share of hole pixels of each mask, in [0, 1]."""
    if mask.ndim != 4 or mask.shape[1] != 1:
        raise InputError(f"mask must have shape (B, 1, H, W), got {tuple(mask.shape)}")
    return wide(mask > 0.5).mean(dim=(1, 2, 3))


def measure(completed: Tensor, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return every metric of this file by name, computing the differences and the SSIM map once.

    Args:
        completed: (B, 3, H, W) in [0, 1].
        image: The original, (B, 3, H, W) in [0, 1].
        mask: (B, 1, H, W), 1 = hole.

    Returns:
        The names of METRICS in their order, each (B,).

    Raises:
        InputError: For shapes that do not belong together.

    Example:
        >>> image, mask = torch.zeros(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
        >>> round(measure(image + 0.1, image, mask)["psnr_hole"].item(), 3)
        20.0
    """
    hole = _checked_hole(completed, image, mask)
    difference = wide(completed) - wide(image)  # (B, 3, H, W)
    absolute = difference.abs().mean(dim=1)  # (B, H, W)
    squared = difference.square().mean(dim=1)  # (B, H, W)
    similar = ssim_map(wide(completed), wide(image))  # (B, H, W)
    return {
        "l1_hole": _hole_mean(absolute, hole),
        "psnr_hole": _decibels(_hole_mean(squared, hole)),
        "ssim_hole": _hole_mean(similar, hole),
        "l1": absolute.mean(dim=(1, 2)),
        "psnr": _decibels(squared.mean(dim=(1, 2))),
        "ssim": _valid_mean(similar),
        "hole_ratio": hole_ratio(mask),
    }


def counted(measured: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return which images count in the mean of each metric that `measure` returned, (B,) bool.

    What is measured in the hole counts for images that have one. That is told by the hole and not by NaN: a model that
    paints NaN must not look good by being left out.
    """
    has_hole = measured["hole_ratio"] > 0
    return {name: has_hole if name in HOLE_ONLY else torch.ones_like(has_hole) for name in measured}


METRICS = ("l1_hole", "psnr_hole", "ssim_hole", "l1", "psnr", "ssim", "hole_ratio")
"""The names that `measure` returns, in its order."""

HOLE_ONLY = frozenset({"l1_hole", "psnr_hole", "ssim_hole"})
"""Those that are NaN for an image without a hole."""


def _decibels(mean_squared: Tensor) -> Tensor:
    return (-10 * torch.log10(mean_squared)).clamp_max(PSNR_CAP_DB)


def _hole_mean(values: Tensor, hole: Tensor) -> Tensor:
    """Average (B, H, W) over the hole (B, H, W); 0/0 = NaN without one."""
    return torch.where(hole, values, 0).sum(dim=(1, 2)) / hole.sum(dim=(1, 2))


def _valid_mean(values: Tensor) -> Tensor:
    """Average (B, H, W) over the pixels whose whole window lies inside the image, or over all if there are none."""
    if min(values.shape[1:]) >= WINDOW_PX:
        values = values[:, RADIUS_PX:-RADIUS_PX, RADIUS_PX:-RADIUS_PX]
    return values.mean(dim=(1, 2))


def _checked_hole(completed: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Check the shapes and return the hole as booleans, (B, H, W)."""
    _check_pair(completed, image)
    want = (image.shape[0], 1, *image.shape[-2:])
    if tuple(mask.shape) != want:
        raise InputError(f"mask must have shape {want} to match the image, got {tuple(mask.shape)}")
    return mask[:, 0] > 0.5


def _check_pair(completed: Tensor, image: Tensor) -> None:
    if image.ndim != 4 or completed.shape != image.shape:
        raise InputError(
            "completed and image must have one shape (B, C, H, W), "
            f"got {tuple(completed.shape)} and {tuple(image.shape)}"
        )
