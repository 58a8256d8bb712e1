"""A 3 x 3 convolution of a map that goes on mirrored beyond its border, and what stands around it in a decoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.nn import winograd
from inpaint.nn.batch_norm import learns
from inpaint.nn.doubling import convolve_doubled, doubled, phase_kernels
from inpaint.nn.inference import Prepared, exporting
from inpaint.nn.narrow import NarrowConv2d
from inpaint.nn.padding import pad

FEWEST_PAIRS = 64 * 128  # pairs of channels from which fewer multiplications outweigh the transforms, as measured


class MirroredConv2d(NarrowConv2d, Prepared):
    """A convolution whose output is as large as its input, of the input enlarged twice before if `enlarge`.

    Then ReLU if `relu`. A single row or column, which has no neighbor to mirror, is repeated. Without gradients on a
    CPU in full precision fewer multiplications are made; see `winograd` and `doubling`.
    """

    prepared = ("factors",)
    factors: Tensor | None

    def __init__(self, in_channels: int, out_channels: int, *, enlarge: bool = False, relu: bool = True) -> None:
        super().__init__(in_channels, out_channels, 3, padding="reflect")
        self.enlarge, self.relu = enlarge, relu
        self.register_buffer("factors", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (B, C, H, W)."""
        y = self._convolved(x)
        return F.relu(y, inplace=not torch.is_grad_enabled()) if self.relu else y

    def _convolved(self, x: Tensor) -> Tensor:
        ready = self.factors is not None and winograd.pays_for(x) and not learns(self)
        if self.enlarge:
            if ready:
                assert self.factors is not None
                return convolve_doubled(x, self.factors, self.bias)
            x = doubled(x)
        if not exporting() and min(x.shape[-2:]) < 2:
            down, right = ("reflect" if side > 1 else "replicate" for side in x.shape[-2:])
            padded = F.pad(F.pad(x, (1, 1, 0, 0), mode=right), (0, 0, 1, 1), mode=down)
            return F.conv2d(padded, self.weight, self.bias)
        if ready and not self.enlarge:
            assert self.factors is not None
            assert self.bias is not None
            return winograd.convolved((x,), self.factors, self.bias, mirrored=True)
        if self.out_channels < 16:
            return super().forward(x)
        return F.conv2d(pad(x, (1, 1, 1, 1), mode="reflect"), self.weight, self.bias)

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Transform the kernels where that is faster on a CPU."""
        self.to(memory_format=torch.channels_last)
        self.factors = None
        if not self.weight.is_cpu or self.weight.dtype not in (torch.float32, torch.float64):
            return
        if self.enlarge:
            self.factors = phase_kernels(self.weight).contiguous(memory_format=torch.channels_last)
        elif self.in_channels * self.out_channels >= FEWEST_PAIRS:
            self.factors = winograd.transformed_kernels(self.weight)
