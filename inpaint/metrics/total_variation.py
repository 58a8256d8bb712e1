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
    What the original has in the same place, `tv_original`, is the value to be near to. In the hole each difference
    counts half for either pixel, so that those across the rim count half.

    Args:
        original: Of the original instead of the painted image.
        hole: Over hole pixels only.
        raw: Of what was painted everywhere instead of the completed image.
    """

    better, low, high = "neither", 0.0, 2.0
    scale, decimals = 100.0, 2

    def __init__(self, *, original: bool = False, hole: bool = False, raw: bool = False) -> None:
        self.original = original
        self.family, self.title = ("tv_original", "TV % of the original") if original else ("tv", "TV %")
        super().__init__(hole=hole, raw=raw)

    def of_pair(self, pair: Pair, hole: Tensor | None) -> Tensor:
        """Average the map of one of the two images."""
        return mean_over(pair.once(("variation", self.original), self._map), hole)

    def _map(self, painted: Tensor, image: Tensor) -> Tensor:
        return variation_map(wide(image if self.original else painted))


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
