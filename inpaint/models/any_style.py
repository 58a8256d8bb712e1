"""What networks share that take any style with every content: regions on the grid of their features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from inpaint.models.styling import StyleInput
from inpaint.style.options import Transform
from inpaint.style.restyling import Coder, moments_of
from inpaint.style.transforms import Moments, Region, on_grid


def moments_of_styles(coder: Coder, styles: Sequence[StyleInput], *, kind: Transform) -> list[Moments]:
    """Return the statistics of each style's features at a level."""
    found = list[Moments]()
    for style in styles:
        assert style.image is not None  # such networks have learned none
        found.append(moments_of(coder, style.image, style.mask, kind=kind))
    return found


def regions_of(coder: Coder, content: Tensor, styles: Sequence[StyleInput], wanted: Sequence[Moments]) -> list[Region]:
    """Return what each position of a level gets.

    Args:
        coder: Of the level.
        content: (1, 3, H, W).
        styles: Where they go, and their weights.
        wanted: The statistics of each.
    """
    height, width = (side // coder.step_px for side in content.shape[-2:])
    return [
        Region(
            style=moments,
            share=(
                torch.full((height, width), style.weight, dtype=content.dtype, device=content.device)
                if style.share is None
                else on_grid(style.share[0, 0], (height, width)).to(content.dtype)
            ),
            inside=None if style.inside is None else on_grid(style.inside[0, 0], (height, width)).to(content.dtype),
        )
        for style, moments in zip(styles, wanted, strict=True)
    ]
