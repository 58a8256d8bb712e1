"""The hourglass with skip connections of Deep Image Prior (Ulyanov et al. 2018), in full generality.

One set of weights, two ways of computing. The plain way is the published one: enlarge, put skip and enlarged features
side by side, normalize, pad, convolve. The folded way normalizes before enlarging and lets one transposed convolution
enlarge and convolve. With nearest neighbor that is the same function. With bilinear enlarging the statistics are those
of the smaller map, and what follows is normalized again; training cannot tell, but the images differ.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.dip import layers
from inpaint.dip.layers import Convolution, Normalization
from inpaint.dip.options import Activation, Downsampling, SkipOptions, Upsampling

FOLD_FROM_PX = 24
"""Shorter side of the map before enlarging from which one transposed convolution is faster than enlarging first."""


class Skip(nn.Module):
    """The network: (1, in_channels, H, W) to (1, out_channels, H, W), any H and W.

    bias: keep the biases that normalization makes idle, as the notebooks do. plain: compute in the published order.
    The result is float32 whatever the dtype of the input, in which everything before the last step is computed.
    """

    def __init__(self, options: SkipOptions, *, seed: int = 0, bias: bool = False, plain: bool = False) -> None:
        super().__init__()
        self.options = options
        generator = torch.Generator().manual_seed(seed)
        self.scales = _Scale(options, 0, bias=bias, plain=plain, generator=generator)
        widths = options.up or options.down
        self.head = Convolution(widths[0], options.out_channels, 1, bias=True, generator=generator)

    def forward(self, z: Tensor) -> Tensor:
        """Paint an image from z (1, in_channels, H, W): in [0, 1] with the sigmoid, else unbounded."""
        painted = self.head(self.scales(z)).float()
        bounded: Tensor = painted.sigmoid() if self.options.sigmoid else painted
        return bounded


class _Block(nn.Module):
    """Convolution, perhaps halving, normalization, activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        options: SkipOptions,
        bias: bool,
        generator: torch.Generator,
        halve: bool = False,
        plain: bool = False,
    ) -> None:
        super().__init__()
        self.mode: Downsampling | None = options.downsample if halve else None
        self.conv = Convolution(
            in_channels,
            out_channels,
            kernel,
            stride=2 if self.mode == "stride" else 1,
            bias=bias,
            border=options.border,
            generator=generator,
        )
        self.halving = (
            layers.LanczosDownsampler(2, lobes=int(self.mode[-1])) if self.mode in ("lanczos2", "lanczos3") else None
        )
        self.norm = Normalization(out_channels)
        self.activation: Activation = options.activation
        self.plain = plain

    def forward(self, x: Tensor) -> Tensor:
        return self.finish(self._convolve(x))

    def finish(self, convolved: Tensor) -> Tensor:
        """Normalize and activate what was convolved."""
        return layers.activate(self.norm(convolved), self.activation)

    def _convolve(self, x: Tensor) -> Tensor:
        even = x.shape[-1] % 2 == 0 and x.shape[-2] % 2 == 0
        if self.mode == "avg" and even and not self.plain:
            return layers.convolve_and_halve(x, self.conv.weight, border=self.conv.border)
        y: Tensor = self.conv(x)
        if self.mode == "avg":
            return F.avg_pool2d(y, 2, ceil_mode=True, count_include_pad=False)
        if self.mode == "max":
            return F.max_pool2d(y, 2, ceil_mode=True)
        if self.halving is not None:
            odd = (y.shape[-1] % 2, y.shape[-2] % 2)
            reduced: Tensor = self.halving(F.pad(y, (0, odd[0], 0, odd[1]), mode="replicate"))
            return reduced
        return y


class _Scale(nn.Module):
    """One scale: down, everything below it, up again beside the skip branch, both normalized as one and convolved."""

    def __init__(
        self, options: SkipOptions, number: int, *, bias: bool, plain: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        last = number == options.depth - 1
        widths_up = options.up or options.down
        above = options.in_channels if number == 0 else options.down[number - 1]
        width, beside = options.down[number], options.per_scale(options.skip)[number]
        kernel_down = options.per_scale(options.kernel_down)[number]
        kernel_up = options.per_scale(options.kernel_up)[number]
        both = beside + (width if last else widths_up[number + 1])

        def block(i: int, o: int, k: int, *, halve: bool = False) -> _Block:
            return _Block(i, o, k, options=options, bias=bias, generator=generator, halve=halve, plain=plain)

        self.channels = beside  # of the skip branch, the first ones
        self.upsample: Upsampling = options.per_scale(options.upsample)[number]
        self.folds = not plain and kernel_up == 3 and (self.upsample == "nearest" or options.border != "zero")
        self.beside = block(above, beside, options.kernel_skip) if beside else None
        self.down = nn.Sequential(block(above, width, kernel_down, halve=True), block(width, width, kernel_down))
        self.below = None if last else _Scale(options, number + 1, bias=bias, plain=plain, generator=generator)
        self.norm_both = Normalization(both)
        self.merge = block(both, widths_up[number], kernel_up)
        self.pointwise = block(widths_up[number], widths_up[number], 1) if options.pointwise else None

    def forward(self, x: Tensor) -> Tensor:
        below = self.down(x)
        if self.below is not None:
            below = self.below(below)
        beside = None if self.beside is None else self.beside(x)
        folds = self.folds and min(below.shape[-2:]) >= FOLD_FROM_PX
        y = (self._folded if folds else self._plain)(beside, below, (x.shape[-2], x.shape[-1]))
        return y if self.pointwise is None else cast(Tensor, self.pointwise(y))

    def _plain(self, beside: Tensor | None, below: Tensor, size: tuple[int, int]) -> Tensor:
        """Return (1, C, *size) from beside (1, S, *size) and below (1, U, about half of size)."""
        grown = F.interpolate(below, scale_factor=2, mode=self.upsample)[..., : size[0], : size[1]]
        y: Tensor = self.merge(self.norm_both(grown if beside is None else torch.cat((beside, grown), dim=1)))
        return y

    def _folded(self, beside: Tensor | None, below: Tensor, size: tuple[int, int]) -> Tensor:
        first, rest, conv = slice(0, self.channels), slice(self.channels, None), self.merge.conv
        below = self.norm_both(below, rest)
        y = layers.enlarge_and_convolve(below, conv.weight[:, rest], mode=self.upsample, border=conv.border)
        y = y[..., : size[0], : size[1]]
        if beside is not None:
            y = y + layers.convolve(self.norm_both(beside, first), conv.weight[:, first], border=conv.border)
        return self.merge.finish(y)
