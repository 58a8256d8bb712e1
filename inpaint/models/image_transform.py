"""The image transformation network of Johnson et al. (arXiv 1603.08155) and its successors, with any normalization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.nn import winograd
from inpaint.nn.batch_norm import learns
from inpaint.nn.doubling import convolve_doubled, doubled, phase_kernels
from inpaint.nn.inference import Prepared
from inpaint.nn.instance import instance_norm
from inpaint.nn.padding import PaddedConv2d, PaddingMode

Upsampling: TypeAlias = Literal["nearest", "transposed"]
Border: TypeAlias = Literal["reflect", "start"]

LOST_PX = 8  # of every side of the image by each block that reads nothing beyond the border


class StyleNorm(nn.Module):
    """Base of the normalizations: `forward` takes features and what says their style."""

    def forward(self, x: Tensor, style: Tensor | None) -> Tensor:
        """Normalize x (B, C, H, W); style: as the network was given it, see `ConditionalNorm`."""
        raise NotImplementedError


class AffineInstanceNorm(StyleNorm):
    """Instance normalization with one scale and shift per channel, that of Ulyanov et al. (arXiv 1607.08022)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, style: Tensor | None) -> Tensor:
        """Normalize x (B, C, H, W)."""
        return instance_norm(x, self.weight, self.bias)


class PlainBatchNorm(StyleNorm):
    """Batch normalization, as in the paper."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, style: Tensor | None) -> Tensor:
        """Normalize x (B, C, H, W)."""
        found: Tensor = self.norm(x)
        return found


class ConditionalNorm(StyleNorm):
    """Instance normalization with a scale and shift of each style (Dumoulin et al., arXiv 1610.07629).

    Args:
        channels: Of the features.
        styles: How many.
        affine: Whether a scale and shift that all styles share come before, as in a port.
    """

    def __init__(self, channels: int, styles: int, *, affine: bool = False) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(styles, channels))
        self.beta = nn.Parameter(torch.zeros(styles, channels))
        self.shared = AffineInstanceNorm(channels) if affine else None

    def forward(self, x: Tensor, style: Tensor | None) -> Tensor:
        """Normalize x (B, C, H, W).

        style: weights of the styles, (B, N), or of each pixel of the image that the network paints, (B, N, H', W');
        scales and shifts are mixed by them.
        """
        assert style is not None
        gamma: Tensor = self.gamma
        beta: Tensor = self.beta
        if self.shared is not None:  # gamma (w n + b) + beta
            gamma, beta = gamma * self.shared.weight, gamma * self.shared.bias + beta
        if style.ndim == 2:
            return instance_norm(x, style @ gamma, style @ beta)
        here = F.adaptive_avg_pool2d(style, (x.shape[-2], x.shape[-1]))  # (B, N, H, W)
        scale, shift = (torch.einsum("bnhw,nc->bchw", here, rows) for rows in (gamma, beta))
        return torch.addcmul(shift, scale, instance_norm(x))


class TransformConv(PaddedConv2d, Prepared):
    """A convolution of the network, of the image enlarged twice before where `enlarge` says so.

    Without gradients on a CPU in full precision, 3 x 3 kernels take fewer multiplications; see `winograd`, `doubling`.
    """

    prepared = ("factors",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        enlarge: bool = False,
        padding: PaddingMode | None = "reflect",
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, stride=stride, padding=padding or "zero", bias=bias)
        self.enlarge = enlarge
        self.bare = padding is None  # nothing lies around the image, which becomes smaller
        self._fast = kernel == 3 and stride == 1 and padding == "reflect"
        self.factors: Tensor | None
        self.register_buffer("factors", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to (B, outputs, H', W')."""
        if self.bare:
            return F.conv2d(x, self.weight, self.bias)
        if self.factors is not None and not learns(self) and winograd.pays_for(x):
            if self.enlarge:
                return convolve_doubled(x, self.factors, self.bias)
            bias = x.new_zeros(self.out_channels) if self.bias is None else self.bias
            return winograd.convolved((x,), self.factors, bias, mirrored=True)
        return super().forward(doubled(x) if self.enlarge else x)

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Bring the kernels into the form that is multiplied with."""
        if self._fast:
            kernels = phase_kernels if self.enlarge else winograd.transformed_kernels
            self.factors = kernels(self.weight).contiguous()


class ImageTransform(nn.Module):
    """Two halvings, residual blocks, two doublings, between convolutions of 9 x 9 places.

    Its parts are `convolutions` and `norms`, by the names of their steps, so that either can be frozen.

    Args:
        norm: Makes a normalization for so many channels.
        width: Channels at the full size; four times as many in the blocks.
        blocks: How many residual blocks.
        last_norm: Whether the last convolution is normalized, too.
        bias: Whether convolutions have one.
        upsampling: nearest: enlarged, then convolved; transposed: transposed convolutions, which leave a pattern.
        border: reflect: every convolution mirrors what it reads; start: the image is mirrored once, by 40 px for 5
            blocks, which lose as much, and all others read zeros beyond the border, as in the paper.
    """

    def __init__(
        self,
        norm: Callable[[int], StyleNorm],
        *,
        width: int,
        blocks: int,
        last_norm: bool = False,
        bias: bool = True,
        upsampling: Upsampling = "nearest",
        border: Border = "reflect",
    ) -> None:
        super().__init__()
        self.blocks = blocks
        self.at_start = border == "start"
        around: PaddingMode = "zero" if self.at_start else "reflect"
        inside: PaddingMode | None = None if self.at_start else "reflect"

        def conv(before: int, after: int, kernel: int, *, stride: int = 1, enlarge: bool = False) -> nn.Module:
            if enlarge and upsampling == "transposed":
                return nn.ConvTranspose2d(before, after, kernel, 2, padding=1, output_padding=1, bias=bias)
            return TransformConv(before, after, kernel, stride=stride, enlarge=enlarge, padding=around, bias=bias)

        self.convolutions = nn.ModuleDict(
            {
                "conv1": conv(3, width, 9),
                "conv2": conv(width, 2 * width, 3, stride=2),
                "conv3": conv(2 * width, 4 * width, 3, stride=2),
                **{
                    f"block{number}_{half}": TransformConv(4 * width, 4 * width, 3, padding=inside, bias=bias)
                    for number in range(1, blocks + 1)
                    for half in (1, 2)
                },
                "up1": conv(4 * width, 2 * width, 3, enlarge=True),
                "up2": conv(2 * width, width, 3, enlarge=True),
                "out": conv(width, 3, 9),
            }
        )
        sizes = {"conv1": width, "conv2": 2 * width, "up1": 2 * width, "up2": width, "out": 3}
        self.norms = nn.ModuleDict(
            {name: norm(sizes.get(name, 4 * width)) for name in self.convolutions if name != "out" or last_norm}
        )

    def forward(self, x: Tensor, style: Tensor | None = None) -> Tensor:
        """Map an image (B, 3, H, W) in the network's range to (B, 3, H, W), before the last activation.

        style: what the normalizations take.
        """
        height, width = x.shape[-2:]
        if self.at_start:
            x = F.pad(x, (LOST_PX * self.blocks,) * 4, mode="reflect")
        for name in ("conv1", "conv2", "conv3"):
            x = self._step(name, x, style)
        for number in range(1, self.blocks + 1):
            y = self._step(f"block{number}_2", self._step(f"block{number}_1", x, style), style, relu=False)
            lost = (x.shape[-2] - y.shape[-2]) // 2
            x = y + x[..., lost : x.shape[-2] - lost, lost : x.shape[-1] - lost]
        for name in ("up1", "up2"):
            x = self._step(name, x, style)
        return self._step("out", x, style, relu=False)[..., :height, :width]

    def _step(self, name: str, x: Tensor, style: Tensor | None, *, relu: bool = True) -> Tensor:
        x = self.convolutions[name](x)
        if name in self.norms:
            x = self.norms[name](x, style)
        return F.relu(x, inplace=not torch.is_grad_enabled()) if relu else x
