"""Smooth images and thin holes for what is fitted to one image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def waves(height: int, width: int) -> Tensor:
    """Return a smooth image (1, 3, H, W)."""
    y, x = np.mgrid[0:height, 0:width] / 64
    planes = (0.5 + 0.3 * np.sin(6 * x + 2 * y), 0.5 + 0.3 * np.cos(5 * y), 0.5 + 0.2 * np.sin(4 * (x + y)))
    return torch.from_numpy(np.stack(planes)).float()[None]


def strokes(height: int, width: int) -> Tensor:
    """Return a thin hole (1, 1, H, W)."""
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 3 : height // 3 + 3, 4 : width - 4] = 1
    mask[..., 4 : height - 4, width // 2 : width // 2 + 2] = 1
    return mask
