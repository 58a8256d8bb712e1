"""Partial convolution (Liu et al., "Image Inpainting for Irregular Holes Using Partial Convolutions", eq. 1 and 2).

With m = 1 where a pixel is known, all sums over the window and its input channels,

    y = [ sum W (x m) ] * sum 1 / sum m + b    and    m' = 1    where sum m > 0,
    y = 0                               and    m' = 0    elsewhere.

All channels of one output share their mask, so a concatenation of several outputs needs one plane for each of them, and
the windows' sums come from one plane of integers: sum over the parts of (channels of the part) * (plane of the part).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.nn.gated import upsampling_kernels
from inpaint.nn.plain import HasPlainForm, box_sums

Border: TypeAlias = Literal["hole", "known"]
"""What lies beyond the border. hole: nothing known, so that sums there are scaled up ("Partial Convolution based
Padding", Liu et al. 2018). known: zeros that count as known, as in an ordinary convolution."""


@dataclass(frozen=True)
class Window:
    """What one partial convolution computes from masks alone, each (B, 1, H, W) with the size of its output.

    ratio: size of the window over what is known of it, 0 where nothing is. known: 1 where anything is, else 0.
    """

    ratio: Tensor
    known: Tensor


class PartialConv2d(nn.Conv2d, HasPlainForm):
    """A partial convolution of one map or of several concatenated ones. Padded by dilation * (kernel - 1) / 2.

    Args:
        parts: Channels of each map that comes in.
        out_channels: Channels that go out.
        kernel: Side of the kernel, odd.
        stride: Step between outputs.
        dilation: Step within the kernel.
        bias: Whether there is one.
        border: What lies beyond the border.
        upsample: Repeat every pixel of the first part 2 x 2 before (3 x 3 kernels without stride and dilation, border
            "hole").
    """

    def __init__(
        self,
        parts: int | Sequence[int],
        out_channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = True,
        border: Border = "hole",
        upsample: bool = False,
    ) -> None:
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {kernel}")
        if upsample and (kernel, stride, dilation, border) != (3, 1, 1, "hole"):
            raise ValueError("upsample needs kernel=3, stride=1, dilation=1 and border='hole'")
        self.parts = (parts,) if isinstance(parts, int) else tuple(parts)
        self.around = dilation * (kernel - 1) // 2
        super().__init__(sum(self.parts), out_channels, kernel, stride, self.around, dilation, bias=bias)
        self.border: Border = border
        self.upsample = upsample

    def forward(  # type: ignore[override]
        self, parts: Sequence[Tensor], known: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Convolve what is known.

        Args:
            parts: One (B, channels, H, W) each, the first at half the size with `upsample`; not read where it is not
                known.
            known: One (B, 1, H, W) each, above 0.5 = known; None where all is known, which leaves the border.

        Returns:
            y (B, out_channels, H', W') and m' (B, 1, H', W').
        """
        if known is None:
            known = [torch.ones_like(part[:, :1]) for part in parts]
        known = [(plane > 0.5).to(plane.dtype) for plane in known]
        window = self.window(known)
        seen = [part.masked_fill(plane <= 0.5, 0.0) for part, plane in zip(parts, known, strict=True)]
        y = self.sums(seen, self.kernels())
        y = y * window.ratio.to(y.dtype)
        if self.bias is not None:
            y = y + self.bias.view(-1, 1, 1).to(y.dtype) * window.known.to(y.dtype)
        return y, window.known.to(parts[0].dtype)

    def window(self, known: Sequence[Tensor]) -> Window:
        """Return the ratio and the next mask for the planes (B, 1, H, W) of all parts, in float32 or float64.

        Sums of integers are exact in float32, unlike in half precision, where a window may hold more than fits.
        """
        exact = torch.promote_types(known[0].dtype, torch.float32)
        first, *rest = [plane.to(exact) * channels for plane, channels in zip(known, self.parts, strict=True)]
        if self.upsample:
            first = F.interpolate(first, scale_factor=2, mode="nearest")
        counts = sum(rest, first)  # (B, 1, H, W)
        if self.border == "known":
            counts = F.pad(counts, (self.around,) * 4, value=float(self.in_channels))
        sums = self._box_sums(counts, around=0 if self.border == "known" else self.around)
        size = float(self.in_channels * self.kernel_size[0] * self.kernel_size[1])
        seen = sums > 0.5
        return Window(torch.where(seen, size / sums.clamp_min(1.0), 0.0), seen.to(exact))

    def _box_sums(self, counts: Tensor, *, around: int) -> Tensor:
        """Add up each window of one plane."""
        kernel, stride, dilation = self.kernel_size[0], self.stride[0], self.dilation[0]
        if dilation == 1 or self.plain:
            return box_sums(counts, kernel, stride=stride, around=around, dilation=dilation, plain=self.plain)
        reach = dilation * (kernel - 1) + 1
        height, width = ((side + 2 * around - reach) // stride + 1 for side in counts.shape[-2:])
        windows = F.unfold(counts, kernel, dilation=dilation, padding=around, stride=stride)
        return windows.sum(dim=1).view(-1, 1, height, width)

    def kernels(self, scale: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return what `sums` convolves with, optionally with every output multiplied by its `scale` (out_channels,).

        That is the weight; with `upsample` the phases of the first part (4 * out_channels, channels, 2, 2), as
        `upsampling_kernels` makes them, and the weight of the other parts, if there are any.
        """
        weight = self.weight if scale is None else self.weight * scale.view(-1, 1, 1, 1)
        if not self.upsample:
            return (weight,)
        first = self.parts[0]
        phases = upsampling_kernels(weight[:, :first])
        return (phases, weight[:, first:]) if len(self.parts) > 1 else (phases,)

    def sums(self, parts: Sequence[Tensor], kernels: Sequence[Tensor]) -> Tensor:
        """Return sum W x, (B, out_channels, H', W'), for parts that are 0 where nothing is known."""
        if not self.upsample:
            x = torch.cat(tuple(parts), dim=1) if len(parts) > 1 else parts[0]
            return F.conv2d(x, kernels[0], None, self.stride, self.padding, self.dilation)
        small, *rest = parts
        height, width = small.shape[-2:]
        # Four 2 x 2 kernels on the small map instead of one 3 x 3 on the large one: 4 of 9 multiplications, and the
        # concatenation of all parts is never built.
        phases = F.conv2d(small, kernels[0], padding=1).chunk(4, dim=1)  # each (B, out, height + 1, width + 1)
        cropped = [
            phase[..., row : row + height, column : column + width]
            for phase, (row, column) in zip(phases, ((0, 0), (0, 1), (1, 0), (1, 1)), strict=True)
        ]
        if torch.is_grad_enabled():
            rows = [torch.stack(cropped[at : at + 2], dim=-1).flatten(-2) for at in (0, 2)]  # (B, out, height, 2 width)
            y = torch.stack(rows, dim=-2).flatten(-3, -2)  # (B, out, 2 height, 2 width)
            return y + self._rest(rest, kernels) if rest else y
        if rest:
            y = self._rest(rest, kernels)
        else:
            y = cropped[0].new_zeros(small.shape[0], self.out_channels, 2 * height, 2 * width)
        for phase, (row, column) in zip(cropped, ((0, 0), (0, 1), (1, 0), (1, 1)), strict=True):
            y[..., row::2, column::2] += phase
        return y

    def _rest(self, rest: Sequence[Tensor], kernels: Sequence[Tensor]) -> Tensor:
        x = torch.cat(tuple(rest), dim=1) if len(rest) > 1 else rest[0]
        return F.conv2d(x, kernels[1], padding=1)

    def extra_repr(self) -> str:
        """Add the parts, the border and upsampling to what a convolution shows of itself."""
        shown = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{shown}, parts={self.parts}, border={self.border}, upsample={self.upsample}"
