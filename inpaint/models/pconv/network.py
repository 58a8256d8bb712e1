"""The U-Net of partial convolutions (Liu et al., ECCV 2018, arXiv 1804.07723, table 1).

What is known shrinks the hole from layer to layer, and depends on the mask alone: all of it is computed before the
features, exactly, in float32 at least, as a plan. Every feature map is 0 where its plan says that nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.base import InpaintNetwork, Rear
from inpaint.models.pconv.config import Config
from inpaint.nn.inference import Prepared
from inpaint.nn.partial import PartialConv2d, Window
from inpaint.nn.random import drawing_from

LEAK = 0.2  # slope of the decoder's LeakyReLU
RANGES = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "pm1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "01": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Mean and deviation of each color on our scale: what the network calls 0 and 1."""


class Block(Prepared):
    """Partial convolution, batch norm, LeakyReLU; norm and activation may be missing.

    slope: of the activation below 0 (0 = ReLU), None = no activation.
    """

    prepared = ("shift", "kernel_0", "kernel_1")

    def __init__(
        self,
        parts: int | Sequence[int],
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        upsample: bool = False,
        bias: bool = False,
        norm: bool = True,
        slope: float | None = 0.0,
    ) -> None:
        super().__init__()
        self.conv = PartialConv2d(parts, outputs, kernel, stride=stride, bias=bias, upsample=upsample)
        self.norm = nn.BatchNorm2d(outputs) if norm else None
        self.slope = slope
        self.shift: Tensor | None
        self.kernel_0: Tensor | None
        self.kernel_1: Tensor | None
        for name in self.prepared:
            self.register_buffer(name, None, persistent=False)

    def forward(self, parts: Sequence[Tensor], window: Window) -> Tensor:
        """Return (B, outputs, H', W'), 0 where nothing is known, from parts of which the same is true."""
        folded = self.shift if self.conv.plain or not torch.is_grad_enabled() else None
        if folded is not None:
            kernels = [kernel for kernel in (self.kernel_0, self.kernel_1) if kernel is not None]
            y = self.conv.sums(parts, kernels)
            ratio = window.ratio.to(y.dtype)
            # The exporter of graphs would bring what it makes of addcmul, and all around it, into float32.
            y = folded + y * ratio if self.conv.plain else torch.addcmul(folded, y, ratio)
        else:
            y = self.conv.sums(parts, self.conv.kernels())
            y = y * window.ratio.to(y.dtype)
            if self.conv.bias is not None:
                y = y + self.conv.bias.view(-1, 1, 1).to(y.dtype)
            if self.norm is not None:
                y = self.norm(within_range(y))
        y = within_range(y, plain=self.conv.plain)
        if self.slope is not None:
            y = F.leaky_relu(y, self.slope, inplace=not torch.is_grad_enabled())
        # Bias and batch norm have moved places that know nothing.
        return y * window.known.to(y.dtype)

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Fold the batch norm into the kernels.

        gamma (y - mean) / sqrt(var + eps) + beta multiplies the kernels, and adds a shift after the ratio.
        """
        conv, norm = self.conv, self.norm
        scale = None
        shift = torch.zeros(conv.out_channels, dtype=torch.float64) if conv.bias is None else conv.bias.double()
        if norm is not None:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
            shift = norm.bias.double() + (shift.to(scale) - norm.running_mean.double()) * scale
        kind = conv.weight.dtype
        kernels = [kernel.to(kind).contiguous(memory_format=torch.channels_last) for kernel in conv.kernels(scale)]
        self.kernel_0, self.kernel_1 = kernels[0], kernels[1] if len(kernels) > 1 else None
        self.shift = shift.to(conv.weight).view(-1, 1, 1)


def within_range(y: Tensor, *, plain: bool = False) -> Tensor:
    """Return what exceeds float16 as its largest number; other types have room enough.

    Where little is known, ratios of up to a few hundred in every layer reach beyond it, and infinity becomes NaN.
    plain: by an operator that graphs have.
    """
    if y.dtype != torch.float16:
        return y
    largest = torch.finfo(y.dtype).max
    return y.clamp(-largest, largest) if plain else torch.nan_to_num(y)


@dataclass(frozen=True)
class Plan:
    """What every layer knows, for images of one size: windows from the first encoder layer inwards, likewise back."""

    encoder: tuple[Window, ...]
    decoder: tuple[Window, ...]


class UNet(nn.Module):
    """Encoder and decoder, in the network's own range of values; sides must be multiples of 2^levels."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = [config.width * min(2**level, 8) for level in range(config.depth)]  # of the encoder's outputs
        inputs = [3, *widths]
        kernels = (7, 5, 5, *[3] * config.depth)
        self.encoder = nn.ModuleList(
            Block(
                before,
                after,
                kernels[level],
                stride=2,
                bias=level == 0 and config.first_bias,
                norm=level > 0,
            )
            for level, (before, after) in enumerate(pairwise(inputs))
        )
        # From the outermost to the deepest. Each gets what the deeper one made, and what its encoder layer began with.
        self.decoder = nn.ModuleList(
            Block(
                (below, skip),
                3 if level == 0 else skip,
                upsample=True,
                bias=level == 0,
                norm=level > 0,
                slope=None if level == 0 else LEAK,
            )
            for level, (skip, below) in enumerate(pairwise(inputs))
        )
        initialize_(self)

    def plan(self, known: Tensor) -> Plan:
        """Follow the mask (B, 1, H, W), 1 = known, through all layers."""
        planes, encoder, decoder = [known], list[Window](), list[Window]()
        for block in blocks_of(self.encoder):
            encoder.append(block.conv.window([planes[-1]]))
            planes.append(encoder[-1].known)
        below = planes.pop()
        for block, skip in zip(reversed(blocks_of(self.decoder)), reversed(planes), strict=True):
            decoder.append(block.conv.window([below, skip]))
            below = decoder[-1].known
        return Plan(tuple(encoder), tuple(decoder))

    def forward(self, x: Tensor, plan: Plan) -> Tensor:
        """Paint x (B, 3, H, W), 0 where unknown: (B, 3, H, W), not bounded."""
        return self.decoded([x, *self.encoded(x, plan)], plan)

    def encoded(self, x: Tensor, plan: Plan) -> list[Tensor]:
        """Return the output of every encoder layer, the deepest last."""
        outputs = []
        for block, window in zip(blocks_of(self.encoder), plan.encoder, strict=True):
            x = block([x], window)  # half the size
            outputs.append(x)
        return outputs

    def decoded(self, levels: list[Tensor], plan: Plan) -> Tensor:
        """Paint from what the encoder begins with and the outputs of its layers; the list is emptied on the way."""
        x = levels.pop()
        for block, window in zip(reversed(blocks_of(self.decoder)), plan.decoder, strict=True):
            x = block([x, levels.pop()], window)  # twice the size
        return x


def blocks_of(layers: nn.ModuleList) -> list[Block]:
    """Return the layers as what they are; torch's list does not tell."""
    return cast("list[Block]", list(layers))


def initialize_(network: UNet) -> None:
    """Draw all weights after He et al. 2015, normal, by the inputs and the slope of the layers before; zero biases.

    Draws from torch's global generator: call it inside `drawing_from`.
    """
    for blocks, slope in ((network.encoder, 0.0), (network.decoder, LEAK)):
        for block in blocks_of(blocks):
            nn.init.kaiming_normal_(block.conv.weight, a=slope)
            if block.conv.bias is not None:
                nn.init.zeros_(block.conv.bias)


class Network(InpaintNetwork):
    """The U-Net on images in [0, 1] of any size; its state dict has the prefix `generator.`."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        with drawing_from(seed):
            self.generator = UNet(config)

    def forward(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        """Fill the holes: {"raw"} (B, 3, H, W) on our scale and not clamped.

        image: (B, 3, H, W) in [0, 1], not read in the hole. mask: (B, 1, H, W), above 0.5 = hole. Sides are brought to
        a multiple of 2^levels with more hole. Where all is hole, the image is the network's 0: a plain color.
        """
        x, plan = self._read(image, mask)
        return {"raw": self._on_our_scale(self.generator(x, plan), like=image)}

    @property
    def program_multiple_px(self) -> int:
        """Sides that need no more hole around them."""
        return int(2**self.config.depth)

    def split(self, image: Tensor, mask: Tensor, **planes: Tensor) -> tuple[tuple[Tensor, ...], Rear]:
        """Return the outputs of all encoder layers, and the decoder."""
        x, plan = self._read(image, mask)

        def paint(features: Sequence[Tensor]) -> Tensor:
            return self._on_our_scale(self.generator.decoded([x, *features], plan), like=image)

        return tuple(self.generator.encoded(x, plan)), paint

    def _read(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Plan]:
        """Return what the U-Net reads, in its own range and of a size that it takes, and what its layers know."""
        height, width = image.shape[-2:]
        multiple = 2**self.config.depth
        more = (0, -width % multiple, 0, -height % multiple)
        mean, deviation = self._range(image)
        hole = mask > 0.5
        # The hole is zeroed first, so that no later arithmetic can carry a NaN of it anywhere, in gradients either.
        x = (image.masked_fill(hole, 0.0) - mean) / deviation
        x = F.pad(x.masked_fill(hole, 0.0), more)
        known = F.pad((~hole).to(torch.promote_types(image.dtype, torch.float32)), more)
        return x, self.generator.plan(known)

    def _on_our_scale(self, painted: Tensor, *, like: Tensor) -> Tensor:
        height, width = like.shape[-2:]
        mean, deviation = self._range(like)
        return painted.to(like.dtype)[..., :height, :width] * deviation + mean  # half precision under autocast

    def _range(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of the colors, (3, 1, 1) each."""
        mean, deviation = (image.new_tensor(values).view(3, 1, 1) for values in RANGES[self.config.value_range])
        return mean, deviation
