"""AOT-GAN's generator and discriminator (Zeng et al., TVCG 2022, arXiv 2104.01431).

Two halvings, blocks of aggregated contextual transformations at a quarter of the size, two doublings; no normalization.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import InputError
from inpaint.losses.base import Discriminator, DiscriminatorOutput
from inpaint.models.aotgan.config import Config
from inpaint.models.base import InpaintNetwork, Rear
from inpaint.nn import winograd
from inpaint.nn.batch_norm import learns
from inpaint.nn.inference import Prepared
from inpaint.nn.narrow import NarrowConv2d
from inpaint.nn.padding import PaddedConv2d, pad
from inpaint.nn.random import drawing_from
from inpaint.nn.spectral import normalized_in_full_precision, spectrally_normalized

PLANES = 4  # the image with a white hole, and the mask
DEVIATION = 0.02  # of all initial weights
STEEPNESS, THRESHOLD = 10.0, 0.5  # of a gate: it is half open where its map is half a deviation above its mean
EPS = 1e-9
FEWEST = 128  # outputs of a convolution from which on tiles take less time (measured: 64 take more)


class AOTBlock(Prepared):
    """Branches of several dilation rates, fused, and a gate that chooses between the answer and what came in.

    The gate of each channel compares every place with the whole image (paper section 3.2).

    Prepared for inference, the gate and the branches of rate 1, which read the same places, are one convolution.
    """

    prepared = ("kernel", "shift", "factors", "factors_fuse")

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels, each = config.channels, config.channels // len(config.rates)
        self.branches = nn.ModuleList(
            PaddedConv2d(channels, each, 3, dilation=rate, padding="reflect") for rate in config.rates
        )
        self.fuse = PaddedConv2d(channels, channels, 3, padding="reflect")
        self.gate = PaddedConv2d(channels, channels, 3, padding="reflect")
        self.near = [number for number, rate in enumerate(config.rates) if rate == 1]
        self.kernel: Tensor | None
        self.shift: Tensor | None
        self.factors: Tensor | None
        self.factors_fuse: Tensor | None
        for name in self.prepared:
            self.register_buffer(name, None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same shape; H and W exceed the largest rate."""
        if self.kernel is None or self.shift is None or learns(self):
            gate, near = self.gate(x), [self.branches[number](x) for number in self.near]
        else:
            gate, *near = self._beside_each_other(x, self.kernel, self.shift)
        found = dict(zip(self.near, near, strict=True))
        inplace = not torch.is_grad_enabled()
        branches = [
            F.relu(found[number] if number in found else branch(x), inplace=inplace)
            for number, branch in enumerate(self.branches)
        ]
        return torch.lerp(x, self._fused(branches), opening(gate).to(x.dtype))

    def _beside_each_other(self, x: Tensor, kernel: Tensor, shift: Tensor) -> tuple[Tensor, ...]:
        """Return the gate's map and those of the branches of rate 1."""
        counts = [layer.out_channels for layer in self._near_layers()]
        if _tiles_pay(x, len(shift)):
            if self.factors is None:
                self.factors = _factors(kernel)
            both = winograd.convolved((x,), self.factors, shift, mirrored=True)
        else:
            both = F.conv2d(pad(x, (1, 1, 1, 1), mode="reflect"), kernel, shift)
        return torch.split(both, counts, dim=1)

    def _near_layers(self) -> list[nn.Conv2d]:
        """Return the gate and the branches of rate 1."""
        layers = [self.gate, *(self.branches[number] for number in self.near)]
        return [layer for layer in layers if isinstance(layer, nn.Conv2d)]

    def _fused(self, branches: Sequence[Tensor]) -> Tensor:
        if self.kernel is None or learns(self) or not _tiles_pay(branches[0], self.fuse.out_channels):
            fused: Tensor = self.fuse(torch.cat(list(branches), dim=1))
            return fused
        if self.factors_fuse is None:
            self.factors_fuse = _factors(self.fuse.weight)
        assert self.fuse.bias is not None
        return winograd.convolved(branches, self.factors_fuse, self.fuse.bias, mirrored=True)

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Put the kernels of the gate and of the branches of rate 1 behind one another."""
        layers = self._near_layers()
        biases = [layer.bias for layer in layers if layer.bias is not None]
        self.kernel = torch.cat([layer.weight for layer in layers]).contiguous(memory_format=torch.channels_last)
        self.shift = torch.cat(biases)
        self.factors = self.factors_fuse = None


def _tiles_pay(x: Tensor, outputs: int) -> bool:
    return outputs >= FEWEST and winograd.pays_for(x)


def _factors(kernel: Tensor) -> Tensor:
    """Return transformed kernels. They take 4 times the memory, so they are computed where they are used."""
    with torch.inference_mode(False), torch.no_grad():
        return winograd.transformed_kernels(kernel)


def opening(gate: Tensor) -> Tensor:
    """Return sigmoid(10 n - 5), n = (gate - mean) / (deviation + 1e-9) over the places of each channel and image.

    gate: (B, C, H, W). The deviation is the unbiased one (divided by H W - 1). In float32 at least, since ten times a
    small difference of statistics decides.
    """
    gate = _exact(gate)
    if not winograd.pays_for(gate):
        deviation, mean = torch.std_mean(gate, dim=(2, 3), keepdim=True)
        return torch.sigmoid(STEEPNESS * ((gate - mean) / (deviation + EPS) - THRESHOLD))
    # On the same terms as tiles: sums over places as products, several times as fast where channels are last in memory.
    rows = gate.permute(0, 2, 3, 1).flatten(1, 2)  # (B, H W, C)
    count = rows.shape[1]
    ones = rows.new_ones(1, 1, count)
    centered = rows - (ones @ rows) / count
    deviation = ((ones @ centered.square()) / (count - 1)).sqrt()
    opened = centered.mul_(STEEPNESS / (deviation + EPS)).sub_(STEEPNESS * THRESHOLD).sigmoid_()
    return opened.view(len(gate), *gate.shape[-2:], -1).permute(0, 3, 1, 2)


class Enlarge(Prepared):
    """Twice the size, bilinear with corners aligned, then a convolution and ReLU."""

    prepared = ("factors",)

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = PaddedConv2d(inputs, outputs, 3)
        self.ready = False
        self.factors: Tensor | None
        self.register_buffer("factors", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs, H, W) to (B, outputs, 2H, 2W)."""
        twice = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return F.relu(self._convolved(twice), inplace=not torch.is_grad_enabled())

    def _convolved(self, x: Tensor) -> Tensor:
        if not self.ready or not _tiles_pay(x, self.conv.out_channels):
            found: Tensor = self.conv(x)
            return found
        if self.factors is None:
            self.factors = _factors(self.conv.weight)
        assert self.conv.bias is not None
        return winograd.convolved((x,), self.factors, self.conv.bias, mirrored=False)

    def prepare_for_inference(self) -> None:
        """Let kernels be transformed at their first use."""
        self.ready, self.factors = True, None

    def train(self, mode: bool = True) -> Self:
        """Use the kernels as they are again when training begins."""
        self.ready = self.ready and not mode
        return super().train(mode)


class Generator(nn.Module):
    """From planes (B, 4, H, W) to what tanh makes colors of, (B, 3, H, W); sides must be multiples of 4."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        w = config.width
        self.stem = PaddedConv2d(PLANES, w, 7, padding="reflect")
        self.down1 = nn.Conv2d(w, 2 * w, 4, stride=2, padding=1)
        self.down2 = nn.Conv2d(2 * w, 4 * w, 4, stride=2, padding=1)
        self.blocks = nn.ModuleList(AOTBlock(config) for _ in range(config.blocks))
        self.up1, self.up2 = Enlarge(4 * w, 2 * w), Enlarge(2 * w, w)
        self.head = NarrowConv2d(w, 3, 3)
        initialize_(self)

    def front(self, planes: Tensor) -> Tensor:
        """Return what the first block reads, (B, 4 width, H/4, W/4)."""
        x = planes
        for layer in (self.stem, self.down1, self.down2):
            x = F.relu(layer(x), inplace=not torch.is_grad_enabled())
        return x

    def rear(self, x: Tensor) -> Tensor:
        """Paint from what `front` returned."""
        for block in self.blocks:
            x = block(x)
        painted: Tensor = self.head(self.up2(self.up1(x)))
        return painted

    def forward(self, planes: Tensor) -> Tensor:
        """Do both."""
        return self.rear(self.front(planes))


class Network(InpaintNetwork):
    """AOT-GAN on images in [0, 1]; its state dict has the prefix `generator.`."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        with drawing_from(seed):
            self.generator = Generator(config)

    @property
    def minimum_px(self) -> int:
        """Smallest side: mirroring as many places as the largest rate at a quarter of the size needs one more."""
        least: int = 4 * (max(self.config.rates) + 1)
        return least

    def forward(self, image: Tensor, mask: Tensor, **planes: Tensor) -> dict[str, Tensor]:
        """Fill the holes: {"raw"} (B, 3, H, W) in [0, 1].

        image: (B, 3, H, W) in [0, 1], not read in the hole. mask: (B, 1, H, W), 1 = hole. H and W must be multiples of
        4 and at least `minimum_px`; raises InputError otherwise. What is painted depends on the whole image, through
        the statistics of the gates.
        """
        return {"raw": _colors(self.generator(self._planes(image, mask))).to(image.dtype)}

    def split(self, image: Tensor, mask: Tensor, **planes: Tensor) -> tuple[tuple[Tensor, ...], Rear]:
        """Return what the first block reads, and what paints from it."""

        def paint(features: Sequence[Tensor]) -> Tensor:
            return _colors(self.generator.rear(features[0])).to(image.dtype)

        return (self.generator.front(self._planes(image, mask)),), paint

    def parts(self, image: Tensor, mask: Tensor) -> dict[str, Callable[[], object]]:
        """Return what comes before the blocks, one block, and what comes after them as tasks of their own."""
        generator, planes = self.generator, self._planes(image, mask)
        x = generator.front(planes)
        return {
            "front": lambda: generator.front(planes),
            "block": lambda: generator.blocks[0](x),
            "after": lambda: generator.head(generator.up2(generator.up1(x))),
        }

    def _planes(self, image: Tensor, mask: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        if height % 4 or width % 4 or min(height, width) < self.minimum_px:
            raise InputError(
                f"AOT-GAN needs sides that are multiples of 4 and at least {self.minimum_px}, got {height}x{width}"
            )
        # The hole is overwritten, not multiplied by zero: no arithmetic may carry a NaN of it anywhere.
        return torch.cat(((2 * image - 1).masked_fill(mask > 0.5, 1.0), mask.to(image.dtype)), dim=1)

    @classmethod
    def discriminators(cls, config: Config, *, seed: int = 0) -> dict[str, Discriminator]:
        """Build the patch discriminator."""
        with drawing_from(seed + 1):
            return {"discriminator": PatchDiscriminator(config)}


class PatchDiscriminator(Discriminator):
    """70x70 PatchGAN on images alone: spectral norm and no bias in all layers but the last."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.discriminator.width
        sides = (3, width, 2 * width, 4 * width, 8 * width)
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=2 if number < 3 else 1, padding=1, bias=False)
            for number, (before, after) in enumerate(itertools.pairwise(sides))
        )
        self.last = nn.Conv2d(sides[-1], 1, 4, padding=1)
        initialize_(self)
        for layer in self.layers:
            spectrally_normalized(layer)

    def forward(self, image: Tensor) -> DiscriminatorOutput:
        """Return one number for every patch of 70 pixels, (B, 1, H/8 - 2, W/8 - 2), and each layer's activated output.

        image: (B, 3, H, W) in [0, 1].
        """
        if min(image.shape[-2:]) < 24:
            raise InputError(
                f"AOT-GAN's discriminator needs sides of at least 24 pixels, got {image.shape[-2]}x{image.shape[-1]}"
            )
        x, features = 2 * image - 1, []
        with normalized_in_full_precision(self.layers):
            for layer in self.layers:
                x = F.leaky_relu(layer(x), 0.2)
                features.append(x)
            return DiscriminatorOutput(self.last(x), tuple(features))


def _colors(painted: Tensor) -> Tensor:
    """Return tanh on our scale, in float32 at least: the last step decides how fine an image's tones are."""
    return (_exact(painted).tanh() + 1) / 2


def _exact(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def initialize_(module: nn.Module) -> None:
    """Draw every weight from a normal distribution of deviation 0.02 and set biases to 0, before normalizing them."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, DEVIATION)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
