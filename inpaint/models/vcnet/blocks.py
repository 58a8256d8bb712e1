"""The residual block that both of VCNet's networks are made of, with or without normalization by the mask."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.vcnet.config import NormalizationConfig
from inpaint.nn.context_norm import ContextNorm, Regions
from inpaint.nn.padding import PaddedConv2d, PaddingMode

Shortcut: TypeAlias = Literal["always", "changed", "none"]
"""Where a 1 x 1 convolution leads around a block: always, where the shape changes and else the input itself does, or
there is no way around."""


class Block(nn.Module):
    """ELU(normalized c2(ELU(c1(x))) + what leads around).

    Args:
        before, after: Channels that come in and go out.
        kernel: Side of both kernels.
        stride: Of the first convolution.
        dilation: Of both.
        up: Repeat every pixel of x 2 x 2 first.
        shortcut: See `Shortcut`.
        padding: What lies beyond the border.
        norm: Of the second convolution's output; None: there is none.
    """

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        up: bool = False,
        shortcut: Shortcut,
        padding: PaddingMode,
        norm: NormalizationConfig | None = None,
    ) -> None:
        super().__init__()
        self.up, self.through = up, shortcut != "none"
        self.c1 = PaddedConv2d(before, after, kernel, stride=stride, dilation=dilation, padding=padding)
        self.c2 = PaddedConv2d(after, after, kernel, dilation=dilation, padding=padding)
        changes = stride != 1 or before != after
        leads = shortcut == "always" or (shortcut == "changed" and changes)
        self.c3 = nn.Conv2d(before, after, 1) if leads else None
        self.stride = stride
        self.norm = None if norm is None else _normalization(after, norm)

    def forward(self, x: Tensor, regions: Regions | None = None) -> Tensor:
        """Map x (B, before, H, W) to (B, after, h, w); regions: the mask at that size, for blocks that normalize."""
        inplace = not torch.is_grad_enabled()
        around = (x if self.c3 is None else self.c3(self._kept(x))) if self.through else None
        if self.up:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            around = None if around is None else F.interpolate(around, scale_factor=2, mode="nearest")
        y = self.c2(F.elu(self.c1(x), inplace=inplace))
        if self.norm is not None and regions is not None:
            y = self.norm(y, regions)
        if around is not None:
            y = y.add_(around) if inplace else y + around
        return F.elu(y, inplace=inplace)

    def _kept(self, x: Tensor) -> Tensor:
        """Return the places that a 1 x 1 kernel meets with the block's stride.

        As a stride of the convolution itself, PyTorch 2.14 on a CPU writes beyond its memory in the backward pass of
        few channels that are last in memory.
        """
        return x if self.stride == 1 else x[..., :: self.stride, :: self.stride]


def _normalization(channels: int, config: NormalizationConfig) -> ContextNorm:
    balance = config.balance
    return ContextNorm(
        channels,
        balance=None if balance == "excited" else balance,
        reduction=config.reduction,
        statistics=config.statistics,
    )
