"""A 3 x 3 convolution of a map that goes on mirrored beyond its border, and the ReLU behind it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.nn import winograd
from inpaint.nn.batch_norm import learns
from inpaint.nn.inference import Prepared, exporting
from inpaint.nn.narrow import NarrowConv2d
from inpaint.nn.padding import pad

FEWEST_PAIRS = 64 * 128  # pairs of channels from which fewer multiplications outweigh the transforms, as measured


class MirroredConv2d(NarrowConv2d, Prepared):
    """A convolution whose output is as large as its input, then ReLU if `relu`.

    A single row or column, which has no neighbor to mirror, is repeated.
    """

    prepared = ("factors",)
    factors: Tensor | None

    def __init__(self, in_channels: int, out_channels: int, *, relu: bool = True) -> None:
        super().__init__(in_channels, out_channels, 3, padding="reflect")
        self.relu = relu
        self.register_buffer("factors", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (B, C, H, W)."""
        y = self._convolved(x)
        return F.relu(y, inplace=not torch.is_grad_enabled()) if self.relu else y

    def _convolved(self, x: Tensor) -> Tensor:
        if not exporting() and min(x.shape[-2:]) < 2:
            down, right = ("reflect" if side > 1 else "replicate" for side in x.shape[-2:])
            padded = F.pad(F.pad(x, (1, 1, 0, 0), mode=right), (0, 0, 1, 1), mode=down)
            return F.conv2d(padded, self.weight, self.bias)
        if self.factors is not None and winograd.pays_for(x) and not learns(self):
            assert self.bias is not None
            return winograd.convolved((x,), self.factors, self.bias, mirrored=True)
        if self.out_channels < 16:
            return super().forward(x)
        return F.conv2d(pad(x, (1, 1, 1, 1), mode="reflect"), self.weight, self.bias)

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Transform the kernels where that is faster on a CPU."""
        self.to(memory_format=torch.channels_last)
        pays = self.in_channels * self.out_channels >= FEWEST_PAIRS and self.weight.dtype != torch.bfloat16
        self.factors = winograd.transformed_kernels(self.weight) if pays and self.weight.is_cpu else None
