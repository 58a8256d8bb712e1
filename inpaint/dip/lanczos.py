"""Lanczos downsampling: the operator through which super-resolution sees its picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.nn.padding import pad


def lanczos_taps(factor: int, lobes: int) -> Tensor:
    """Return the 2 * lobes * factor taps (float64, sum 1) that reduce a side by `factor`, pixel areas aligned.

    Tap i lies at d = (i - (L - 1) / 2) / factor and weighs sinc(d) sinc(d / lobes) (phase 0.5 of the public code).
    """
    length = 2 * lobes * factor
    distance = (torch.arange(length, dtype=torch.float64) - (length - 1) / 2) / factor
    weights = torch.sinc(distance) * torch.sinc(distance / lobes)
    return weights / weights.sum()


class LanczosDownsampler(nn.Module):
    """Reduce pictures by an integer factor with the Lanczos kernel of 2 or 3 lobes; nothing in it is learned.

    Separable, channel by channel, border pixels repeated; a side of S pixels becomes floor(S / factor). Constants keep
    their value.
    """

    taps: Tensor

    def __init__(self, factor: int, *, lobes: int = 2) -> None:
        super().__init__()
        if factor < 2 or lobes not in (2, 3):
            raise ValueError(f"factor must be at least 2 and lobes 2 or 3, got {factor} and {lobes}")
        self.factor = factor
        self.register_buffer("taps", lanczos_taps(factor, lobes).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C, H, W) reduced to (B, C, H // factor, W // factor)."""
        channels, taps = x.shape[1], self.taps.to(x.dtype)
        around = (len(taps) - self.factor) // 2
        # symmetric amounts leave no remainder: L - factor = (2 lobes - 1) factor, odd only where factor is odd
        after = len(taps) - self.factor - around
        x = pad(x, (around, after, around, after), mode="replicate")
        x = F.conv2d(x, taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1), stride=(self.factor, 1), groups=channels)
        return F.conv2d(x, taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1), stride=(1, self.factor), groups=channels)
