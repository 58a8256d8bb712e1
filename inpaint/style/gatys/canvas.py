"""A scene at the size at which it is worked on: tensors, and the regions that have statistics of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from inpaint.style.base import Scene, reduced
from inpaint.types import StylePart


@dataclass(frozen=True, eq=False)
class StyleImage:
    """One of a region's styles.

    Args:
        weight: Its share of the statistics; a region's sum to 1.
        image: (1, 3, h, w) in [0, 1].
        mask: (1, 1, h, w), 1 where it counts; None: everywhere.
    """

    weight: float
    image: Tensor
    mask: Tensor | None


@dataclass(frozen=True, eq=False)
class Region:
    """Places that take on the same styles.

    Args:
        share: (1, 1, H, W), how much of each pixel belongs to it; None: all of all.
        area: Mean of that.
        styles: What it takes on.
    """

    share: Tensor | None
    area: float
    styles: tuple[StyleImage, ...]


@dataclass(frozen=True, eq=False)
class Canvas:
    """What is worked on.

    Args:
        content: (1, 3, H, W) in [0, 1].
        regions: At least one.
        inside: (1, 1, H, W) bool, where something is painted; None: everywhere.
    """

    content: Tensor
    regions: tuple[Region, ...]
    inside: Tensor | None

    @property
    def pixels(self) -> int:
        """Height times width."""
        return self.content.shape[-2] * self.content.shape[-1]


def canvas_of(scene: Scene, longest_px: int, device: torch.device) -> Canvas:
    """Return a scene with the content's longest side so many pixels, styles reduced by the same factor.

    Parts that go to the same places make one region, in which their statistics are mixed by weight.
    """
    scale = longest_px / max(scene.size)
    size = tuple(max(round(side * scale), 1) for side in scene.size)
    groups: dict[bytes, list[int]] = {}
    for number, part in enumerate(scene.parts):
        key = b"" if part.content_mask is None else part.content_mask.tobytes()
        groups.setdefault(key, []).append(number)
    regions = []
    for numbers in groups.values():
        parts = [scene.parts[number] for number in numbers]
        whole = sum(part.weight for part in parts)
        share, area = None, 1.0
        if len(groups) > 1 or not scene.everywhere:
            share = resized(tensor_of(scene.shares[numbers].sum(axis=0)[..., None]), size).to(device)
            area = float(share.mean())
        styles = tuple(_style(part, part.weight / whole, scale, device) for part in parts)
        regions.append(Region(share, area, styles))
    inside = None
    if not scene.everywhere:
        inside = torch.stack([region.share for region in regions if region.share is not None]).sum(dim=0) > 0
    return Canvas(resized(tensor_of(scene.content), size).to(device), tuple(regions), inside)


def _style(part: StylePart, weight: float, scale: float, device: torch.device) -> StyleImage:
    if scale < 1:
        part = reduced(part, max(round(scale * max(part.style.shape[:2])), 1))
    mask = None if part.style_mask is None else tensor_of(part.style_mask[..., None].astype(np.float32)).to(device)
    return StyleImage(weight, tensor_of(part.style).to(device), mask)


def sizes_up_to(last_px: int, first_px: int) -> list[int]:
    """Return the longest sides of all sizes: halves of the last that are not below the first.

    Example:
        >>> sizes_up_to(500, 128), sizes_up_to(100, 128)
        ([250, 500], [100])
    """
    sizes = [last_px]
    while sizes[0] / 2 >= first_px:
        sizes.insert(0, round(sizes[0] / 2))
    return sizes


def tensor_of(image: NDArray[np.float32]) -> Tensor:
    """Return an image (H, W, C) as (1, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].contiguous()


def array_of(image: Tensor) -> NDArray[np.float32]:
    """Return an image (1, C, H, W) as (H, W, C)."""
    array: NDArray[np.float32] = image[0].detach().permute(1, 2, 0).float().cpu().numpy()
    return array


def resized(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return an image (1, C, H, W) at another size, averaged where that is smaller."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    return F.interpolate(image, size=size, mode="bilinear", antialias=True)
