"""Masks that fade beyond their rim, with gradients: the form of `masks.growing` that a training can differentiate."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.masks.growing import PASSES, SIDE_PX, kernel_1d


def grown(mask: Tensor, *, passes: int = PASSES, side_px: int = SIDE_PX) -> Tensor:
    """Return a mask (B, 1, H, W) in [0, 1] with a ramp around it, zeros beyond the border."""
    line = torch.tensor(kernel_1d(side_px), dtype=mask.dtype, device=mask.device)
    around, found = side_px // 2, mask
    for _ in range(passes):
        rows = F.conv2d(found, line.view(1, 1, -1, 1), padding=(around, 0))
        found = F.conv2d(rows, line.view(1, 1, 1, -1), padding=(0, around)) * (1 - mask) + mask
    return found
