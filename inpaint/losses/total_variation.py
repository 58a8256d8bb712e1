"""Total variation: how much neighboring pixels differ, a brake on noise and on seams."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from inpaint.losses.base import Record, RecordTerm, at_least_float32


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
