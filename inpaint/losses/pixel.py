"""Per-pixel losses."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from inpaint.losses.base import PictureTerm, Record

Region = Literal["all", "hole", "known"]


class PixelTerm(PictureTerm):
    """A mean over pixels and channels of a distance between a painted picture and the truth.

    region: where it is measured. normalize: `whole` divides by the size of the whole tensor whatever the region, as
    most papers do; `region` divides by the region's own area over the global batch, so that small holes count as much
    as large ones.
    """

    region: Region = "all"
    normalize: Literal["whole", "region"] = "whole"

    def reduce(self, distance: Tensor, record: Record) -> Tensor:
        """Average a distance map (B, C, H, W) over the region. An empty region gives 0."""
        if self.region == "all":
            return distance.mean()
        mask = record["mask"].to(distance.dtype)
        chosen = mask if self.region == "hole" else 1 - mask
        total = (distance * chosen).mean()
        if self.normalize == "whole":
            return total
        share = record["hole_share"] if self.region == "hole" else 1 - record["hole_share"]
        # A share below one pixel of a large batch can only be an empty region, whose total is 0.
        return total / share.to(distance.dtype).clamp_min(torch.finfo(torch.float32).eps)


class L1(PixelTerm):
    """Mean absolute difference between `of` and the original."""

    kind: Literal["l1"] = "l1"

    def __call__(self, record: Record) -> Tensor:
        """Return the mean of |of - image| over the region."""
        return self.reduce((record[self.of] - record["image"]).abs(), record)


class L2(PixelTerm):
    """Mean squared difference between `of` and the original."""

    kind: Literal["l2"] = "l2"

    def __call__(self, record: Record) -> Tensor:
        """Return the mean of (of - image)^2 over the region."""
        return self.reduce((record[self.of] - record["image"]).square(), record)
