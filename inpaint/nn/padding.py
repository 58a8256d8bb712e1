"""Padding: what a convolution sees beyond the border, and growing an image to a size that a network accepts."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PaddingMode: TypeAlias = Literal["zero", "same_tf", "reflect", "symmetric", "replicate"]
"""zero: zeros, the same number on both sides. same_tf: zeros as TensorFlow's SAME places them, which differs from
`zero` where the stride exceeds 1. reflect: mirrored without repeating the border pixel. symmetric: mirrored with the
border pixel repeated. replicate: the border pixel repeated."""


def same_amount(size: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Return how many zeros TensorFlow's SAME puts before and after a side of `size`; the smaller half comes first.

    The output has ceil(size / stride) positions.

    Example:
        >>> same_amount(8, 5, stride=2)
        (1, 2)
    """
    extent = dilation * (kernel - 1) + 1
    # The last position starts `stride` before the end of a side that it divides, else the remainder. This way of saying
    # it is a number, not a formula, where an exporter knows a side as a multiple of the stride.
    total = max(extent - (size % stride or stride), 0)
    return total // 2, total - total // 2


def mirrored(size: int, before: int, after: int, device: torch.device) -> Tensor:
    """Return indices of a side of `size` continued by mirroring with the border pixel repeated, period 2 * size."""
    index = torch.arange(-before, size + after, device=device) % (2 * size)
    return torch.where(index < size, index, 2 * size - 1 - index)


def pad(x: Tensor, amounts: tuple[int, int, int, int], *, mode: PaddingMode) -> Tensor:
    """Pad the last two axes of a tensor.

    Args:
        x: (B, C, H, W).
        amounts: Pixels at the left, right, top and bottom. `symmetric` and `replicate` work for any, `reflect` needs
            amounts below the side length.
        mode: What lies beyond the border.
    """
    if not any(amounts):
        return x
    if mode == "symmetric":
        left, right, top, bottom = amounts
        rows = x.index_select(-2, mirrored(x.shape[-2], top, bottom, x.device))
        return rows.index_select(-1, mirrored(x.shape[-1], left, right, x.device))
    return F.pad(x, amounts, mode="constant" if mode in ("zero", "same_tf") else mode)


class PaddedConv2d(nn.Conv2d):
    """A convolution with a square kernel whose output has ceil(side / stride) positions, for every padding mode.

    Apart from `same_tf`, both sides are padded by dilation * (kernel - 1) / 2, so the kernel must be odd.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: PaddingMode = "zero",
        bias: bool = True,
    ) -> None:
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {kernel}")
        super().__init__(in_channels, out_channels, kernel, stride=stride, dilation=dilation, bias=bias)
        self.border: PaddingMode = padding

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (B, C, H, W)."""
        left, right, top, bottom = self.around(x)
        weight = self.weight
        if self.border in ("zero", "same_tf"):
            # Only the middle of the kernel meets a single row or column. On CPUs, PyTorch 2.15 would leave whatever
            # lies in memory, NaN too, as the gradient of the rest of a 5 x 5 kernel in bfloat16.
            middle = slice(self.kernel_size[0] // 2, self.kernel_size[0] // 2 + 1)
            if x.shape[-2] == 1:
                weight, top, bottom = weight[..., middle, :], 0, 0
            if x.shape[-1] == 1:
                weight, left, right = weight[..., middle], 0, 0
            if left == right and top == bottom:
                return F.conv2d(x, weight, self.bias, self.stride, (top, left), self.dilation)
        padded = pad(x, (left, right, top, bottom), mode=self.border)
        return F.conv2d(padded, weight, self.bias, self.stride, 0, self.dilation)

    def around(self, x: Tensor) -> tuple[int, int, int, int]:
        """Return how many places x is padded by: left, right, top, bottom."""
        kernel, stride, dilation = self.kernel_size[0], self.stride[0], self.dilation[0]
        if self.border == "same_tf":
            top, bottom = same_amount(x.shape[-2], kernel, stride=stride, dilation=dilation)
            left, right = same_amount(x.shape[-1], kernel, stride=stride, dilation=dilation)
            return left, right, top, bottom
        each = dilation * (kernel - 1) // 2
        return each, each, each, each

    def extra_repr(self) -> str:
        """Add the border mode to what a convolution shows of itself."""
        return f"{super().extra_repr()}, border={self.border}"  # type: ignore[no-untyped-call]


def pad_to(x: Tensor, height: int, width: int) -> Tensor:
    """Grow x (B, C, H, W) at the bottom and the right to (height, width) by mirroring, however small it is."""
    return pad(x, (0, width - x.shape[-1], 0, height - x.shape[-2]), mode="symmetric")


def padded_side(side: int, *, multiple: int, minimum: int = 1) -> int:
    """Return the smallest multiple of `multiple` that is at least `side` and `minimum`.

    Example:
        >>> padded_side(33, multiple=8), padded_side(3, multiple=8, minimum=16)
        (40, 16)
    """
    return -(-max(side, minimum) // multiple) * multiple
