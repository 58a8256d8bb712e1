"""Total variation: how much neighboring pixels differ, of one image, whatever the original shows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Pair, RegionMeasure, mean_over


class TotalVariation(RegionMeasure):
    """Sum of the absolute differences to the neighbors below and at the right, averaged over pixels and channels.

    Papers report it with less as better (Yu et al., arXiv 1801.07892; Zheng et al., "Pluralistic", arXiv 1903.04227).
    By that a flat hole is the best fill there is, and the original is beaten by most: no direction is claimed here.
    In the hole each difference counts half for either pixel, so that those across the rim count half.
    """

    family = "tv"
    better, low, high = "neither", 0.0, 2.0
    title, scale, decimals = "TV %", 100.0, 2

    def of_pair(self, pair: Pair, hole: Tensor | None) -> Tensor:
        """Average the painted image's map."""
        return mean_over(pair.once("variation", lambda painted, _: variation_map(wide(painted))), hole)


def variation_map(images: Tensor) -> Tensor:
    """Return half the sum of absolute differences to the (up to four) neighbors, averaged over channels.

    Its sum is the anisotropic total variation of the image, averaged over channels.

    Args:
        images: (B, C, H, W).

    Returns:
        (B, H, W).
    """
    down, right = differences(images)
    halves = (F.pad(down, (0, 0, 1, 1)), F.pad(right, (1, 1)))
    return (halves[0][:, 1:] + halves[0][:, :-1] + halves[1][..., 1:] + halves[1][..., :-1]) / 2


def differences(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the absolute differences between neighbors, averaged over channels.

    Args:
        images: (B, C, H, W).

    Returns:
        Between a pixel and the one below (B, H - 1, W), and between a pixel and the one at its right (B, H, W - 1).
    """
    down, right = torch.diff(images, dim=-2), torch.diff(images, dim=-1)
    return down.abs().mean(dim=1), right.abs().mean(dim=1)
