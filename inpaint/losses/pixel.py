"""Losses on pixels: distances to the real image, and total variation, a brake on noise and on seams."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from inpaint.losses.base import Norm, Record, RecordTerm, Region, at_least_float32, distance


class PixelTerm(RecordTerm):
    """A mean over pixels and channels of a distance between a generated image and the real one.

    of, target: the two entries. region: where it is measured. alpha: how many times a hole pixel counts compared with a
    known one, with region `all`.
    normalize: `whole` divides by the size of the whole tensor whatever the region, as most papers do; `region` divides
    by the region's own area over the global batch, so that small holes count as much as large ones; `hole` divides by
    the hole's area over the global batch whatever the region, as EdgeConnect does.
    discount: gamma in (0, 1]; a hole pixel then counts gamma^d, see `spatial_discount`. kind: which distance.
    """

    of: str
    target: str = "image"
    region: Region = "all"
    normalize: Literal["whole", "region", "hole"] = "whole"
    alpha: float = Field(1.0, ge=0)
    discount: Annotated[float, Field(gt=0, le=1)] | None = None
    kind: Norm

    @model_validator(mode="after")
    def _alpha_compares(self) -> Self:
        if self.alpha != 1 and self.region != "all":
            raise ValueError(f"alpha={self.alpha:g} compares hole and known pixels: it needs region=all")
        return self

    @property
    def entries(self) -> frozenset[str]:
        """The generated and the real image."""
        return frozenset({self.of, self.target})

    def __call__(self, record: Record) -> Tensor:
        """Return the mean distance over the region. An empty region gives 0."""
        difference = at_least_float32(record[self.of]) - record[self.target]
        distances = distance(difference, self.kind)  # (B, C, H, W)
        weights = self._weights(record)
        total = distances.mean() if weights is None else (distances * weights.to(distances.dtype)).mean()
        if self.normalize == "whole" or (self.normalize == "region" and self.region == "all"):
            return total
        of_hole = self.normalize == "hole" or self.region == "hole"
        share = (record["hole_share"] if of_hole else 1 - record["hole_share"]).to(total.dtype)
        # A share below one pixel of a large batch can only be that of an empty region.
        smallest = torch.finfo(torch.float32).eps
        return total * torch.where(share > smallest, 1 / share.clamp_min(smallest), 0.0)

    def _weights(self, record: Record) -> Tensor | None:
        """Return what each pixel counts, (B, 1, H, W); None = 1 everywhere."""
        if self.region == "all" and self.alpha == 1 and self.discount is None:
            return None
        hole = at_least_float32(record["mask"])
        known = 1 - hole
        if self.discount is not None:
            hole = hole * spatial_discount(hole, self.discount)
        if self.region == "all":
            return self.alpha * hole + known
        return hole if self.region == "hole" else known


class L1(PixelTerm):
    """Mean absolute difference between `of` and `target`."""

    kind: Literal["l1"] = "l1"


class L2(PixelTerm):
    """Mean squared difference between `of` and `target`."""

    kind: Literal["l2"] = "l2"


def spatial_discount(mask: Tensor, gamma: float) -> Tensor:
    """Return gamma^d in the hole, d = distance in pixels to the nearest known pixel; 1 elsewhere. (B, 1, H, W).

    Spatially discounted reconstruction loss (DeepFill, arXiv 1801.07892, section 4.2, gamma 0.99): what lies deep in a
    hole may differ from the original. The paper has rectangles, where all metrics agree; we count steps to a
    neighbor left, right, above or below, which scans along rows and columns find exactly for any hole. The image's
    border counts as unknown. (The public program starts at d = 0 at the hole's rim; here the rim has d = 1.)
    """
    far = mask.shape[-2] + mask.shape[-1]  # more than any distance there is
    steps = far * (mask > 0.5).to(mask.dtype)
    return gamma ** _nearest(_nearest(steps, dim=-1), dim=-2)


def _nearest(steps: Tensor, dim: int) -> Tensor:
    """Return min over j of (steps[j] + |i - j|) along one dimension."""
    place = torch.arange(steps.shape[dim], device=steps.device, dtype=steps.dtype)
    place = place if dim == -1 else place[:, None]
    before = place + (steps - place).cummin(dim).values
    after = (steps + place).flip(dim).cummin(dim).values.flip(dim) - place
    return torch.minimum(before, after)


class TotalVariation(RecordTerm):
    """Sum of |a - b| over horizontal and vertical neighbors inside the region, divided by the number of all elements.

    Partial convolutions (arXiv 1804.07723, section 3.4) use the completed image and the hole dilated by one pixel, so
    that the seam counts. region: `hole`, grown by `dilate` pixels in all eight directions, or `all`.
    """

    kind: Literal["tv"] = "tv"
    of: str
    region: Literal["hole", "all"] = "hole"
    dilate: int = Field(1, ge=0)

    @property
    def entries(self) -> frozenset[str]:
        """The image."""
        return frozenset({self.of})

    def __call__(self, record: Record) -> Tensor:
        """Return the sum over pairs divided by B * C * H * W."""
        image = at_least_float32(record[self.of])
        across = (image[..., 1:] - image[..., :-1]).abs()
        down = (image[..., 1:, :] - image[..., :-1, :]).abs()
        if self.region == "hole":
            inside = dilated(record["mask"], self.dilate).to(image.dtype)
            across = across * (inside[..., 1:] * inside[..., :-1])
            down = down * (inside[..., 1:, :] * inside[..., :-1, :])
        return (across.sum() + down.sum()) / image.numel()


def dilated(mask: Tensor, pixels: int) -> Tensor:
    """Return the mask (B, 1, H, W) grown by so many pixels in all eight directions."""
    return F.max_pool2d(mask, kernel_size=2 * pixels + 1, stride=1, padding=pixels) if pixels else mask
