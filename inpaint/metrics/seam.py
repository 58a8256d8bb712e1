"""Whether one sees where the hole was: the jump across its rim beside the differences around it.

Blockiness is measured so in compressed photos (Wang, Sheikh, Bovik, "No-reference perceptual quality assessment of JPEG
compressed images", 2002): differences across the borders of blocks beside those within. Here the border is the hole's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Compared, ImageMeasure
from inpaint.metrics.total_variation import differences

REACH_PX = 3
"""How many differences on either side of the rim are its surroundings."""
FLOOR = 1 / 255
"""Added to both means: one level of 8 bit, so that flat surroundings divide by something and their noise is no seam."""


class Seam(ImageMeasure):
    """Mean difference across the rim of the hole over the mean difference beside it, of the completed image.

    A *difference* is that of two horizontal or vertical neighbors, absolute, averaged over channels. The *rim* is all
    those between a hole pixel and a known pixel; its *surroundings* are those on the same line of pixels, up to
    REACH_PX before and behind, that cross no rim themselves. With r and s the means over rim and surroundings,

        seam = (r + 1/255) / (s + 1/255).

    1: across the rim the image changes as it does beside it. An offset of the hole raises it in proportion. Below 1 the
    rim is smoother than what lies around it. Since differences of a texture vary from place to place, the original has
    not exactly 1 either: `seam_original` is what it has with this very mask. An image without a rim has no number.

    Args:
        original: Of the original instead of the completed image.
    """

    low, high = FLOOR / (1 + FLOOR), (1 + FLOOR) / FLOOR
    decimals = 2

    def __init__(self, *, original: bool = False) -> None:
        self.original = original
        self.name = "seam_original" if original else "seam"
        self.title = "seam of the original" if original else "seam"
        self.better = "neither" if original else "lower"

    def values(self, compared: Compared) -> Tensor:
        """Measure the rim of every image."""
        return seam(compared.image if self.original else compared.completed, compared.hole)

    def counts(self, compared: Compared) -> Tensor:
        """Leave out images that are all hole or have none."""
        hole = compared.hole.flatten(1)
        return super().counts(compared) & hole.any(dim=1) & ~hole.all(dim=1)


def seam(images: Tensor, hole: Tensor) -> Tensor:
    """Return the seam (B,) of images (B, C, H, W) in [0, 1]; NaN where a hole (B, H, W) bool has no rim."""
    down, right = differences(wide(images))
    # Lines of pixels along the last axis: columns first, then rows.
    axes = ((down.mT, _crossings(hole.mT)), (right, _crossings(hole)))
    on_rim, rims, beside, sides = (sum(parts) for parts in zip(*(_sums(*axis) for axis in axes), strict=True))
    surroundings = torch.where(sides > 0, beside / sides, 0.0)  # none where every difference crosses a rim
    return torch.as_tensor((on_rim / rims + FLOOR) / (surroundings + FLOOR))


def _crossings(hole: Tensor) -> Tensor:
    """Return where neighbors along the last axis lie on either side of the rim, (B, H, W - 1) bool."""
    return hole[..., 1:] != hole[..., :-1]


def _sums(differences: Tensor, rim: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return sum and number of the differences (B, H, W) across the rim and of those beside it on the same line."""
    reach = F.max_pool2d(rim.float(), (1, 2 * REACH_PX + 1), stride=1, padding=(0, REACH_PX)) > 0
    around = reach & ~rim
    return (*_sum(differences, rim), *_sum(differences, around))


def _sum(values: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    return torch.where(where, values, 0.0).sum(dim=(1, 2)), wide(where).sum(dim=(1, 2))
