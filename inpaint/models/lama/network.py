"""LaMa's generators and their discriminator (Suvorov et al., WACV 2022, arXiv 2109.07161).

Three halvings, residual blocks at an eighth of the size, three doublings. The blocks of LaMa are fast Fourier
convolutions, so that every place depends on the whole image; those of LaMa-Regular are ordinary ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from inpaint.errors import InputError
from inpaint.losses.base import Discriminator, DiscriminatorOutput
from inpaint.models.base import InpaintNetwork, Rear
from inpaint.models.lama.config import Config
from inpaint.nn.batch_norm import ConvNorm
from inpaint.nn.fourier import FourierConv
from inpaint.nn.narrow import NarrowConv2d
from inpaint.nn.padding import PaddedConv2d, PaddingMode
from inpaint.nn.random import drawing_from

PLANES = 4  # the image without the hole, and the mask


def _conv(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    padding: PaddingMode = "reflect",
    bias: bool = True,
    slope: float | None = 0.0,
) -> ConvNorm:
    return ConvNorm(PaddedConv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=bias), slope=slope)


class FourierBlock(nn.Module):
    """Two fast Fourier convolutions beside an identity; with ReLU after the second, so that a block only adds."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels = config.channels
        self.conv1 = FourierConv(channels, channels, local_unit=config.local_unit)
        self.conv2 = FourierConv(channels, channels, local_unit=config.local_unit)

    def forward(self, local: Tensor, beyond: Tensor) -> tuple[Tensor, Tensor]:
        """Map local and global channels, each (B, C, H, W), to the same shapes."""
        more_local, more_global = self.conv2(*self.conv1(local, beyond))
        if torch.is_grad_enabled():
            return local + more_local, beyond + more_global
        return more_local.add_(local), more_global.add_(beyond)


class RegularBlock(nn.Module):
    """Two convolutions beside an identity, without activation after the second."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels, channels)
        self.conv2 = _conv(channels, channels, slope=None)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same shape."""
        added: Tensor = x + self.conv2(self.conv1(x))
        return added


class Generator(nn.Module):
    """From planes (B, 4, H, W) to logits of colors (B, 3, H, W); sides must be multiples of 8."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        w, fourier = config.width, config.kind == "ffc"
        local, beyond = config.channels
        # The program of the ordinary generator pads its strided convolutions by zeros.
        border: PaddingMode = "reflect" if fourier else "zero"
        self.stem = _conv(PLANES, w, 7, bias=not fourier)
        self.down1 = _conv(w, 2 * w, stride=2, padding=border, bias=not fourier)
        self.down2 = _conv(2 * w, 4 * w, stride=2, padding=border, bias=not fourier)
        self.down3: nn.Module
        if fourier:
            self.down3 = FourierConv((4 * w, 0), (local, beyond), stride=2)
            self.blocks = nn.ModuleList(FourierBlock(config) for _ in range(config.blocks))
        else:
            self.down3 = _conv(4 * w, 8 * w, stride=2, padding=border)
            self.blocks = nn.ModuleList(RegularBlock(8 * w) for _ in range(config.blocks))
        self.up1, self.up2, self.up3 = (
            ConvNorm(nn.ConvTranspose2d(before, before // 2, 3, stride=2, padding=1, output_padding=1))
            for before in (8 * w, 4 * w, 2 * w)
        )
        self.head = NarrowConv2d(w, 3, 7, padding="reflect")

    def encode(self, planes: Tensor) -> tuple[Tensor, ...]:
        """Return what the first block reads: local and global channels, or all, (B, C, H/8, W/8)."""
        x = self.down3(self.down2(self.down1(self.stem(planes))))
        return x if isinstance(x, tuple) else (x,)

    def decode(self, *features: Tensor) -> Tensor:
        """Paint from what `encode` returned."""
        for block in self.blocks:
            found = block(*features)
            features = found if isinstance(found, tuple) else (found,)
        x = torch.cat(features, dim=1) if len(features) > 1 else features[0]
        painted: Tensor = self.head(self.up3(self.up2(self.up1(x))))
        return painted

    def forward(self, planes: Tensor) -> Tensor:
        """Do both."""
        return self.decode(*self.encode(planes))


class Network(InpaintNetwork):
    """LaMa on images in [0, 1]; its state dict has the prefix `generator.`."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        with drawing_from(seed):
            self.generator = Generator(config)

    @property
    def minimum_px(self) -> int:
        """Smallest side: mirroring a place at an eighth of the size needs two of them; quarters of the map, four."""
        return 32 if self.config.local_unit else 16

    def forward(self, image: Tensor, mask: Tensor, **planes: Tensor) -> dict[str, Tensor]:
        """Fill the holes: {"raw"} (B, 3, H, W) in [0, 1].

        image: (B, 3, H, W) in [0, 1], not read in the hole. mask: (B, 1, H, W), 1 = hole. H and W must be multiples of
        `capabilities.multiple_px` and at least `minimum_px`; raises InputError otherwise.
        """
        return {"raw": _colors(self.generator(self._planes(image, mask))).to(image.dtype)}

    def split(self, image: Tensor, mask: Tensor, **planes: Tensor) -> tuple[tuple[Tensor, ...], Rear]:
        """Return what the first block reads, and what paints from it."""

        def paint(features: Sequence[Tensor]) -> Tensor:
            return _colors(self.generator.decode(*features)).to(image.dtype)

        return self.generator.encode(self._planes(image, mask)), paint

    def parts(self, image: Tensor, mask: Tensor) -> dict[str, Callable[[], object]]:
        """Return what comes before the blocks, the blocks and what comes after them as tasks of their own."""
        planes = self._planes(image, mask)
        features = self.generator.encode(planes)
        return {"encode": lambda: self.generator.encode(planes), "decode": lambda: self.generator.decode(*features)}

    def _planes(self, image: Tensor, mask: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        multiple, least = self.config.capabilities().multiple_px, self.minimum_px
        if height % multiple or width % multiple or min(height, width) < least:
            raise InputError(
                f"LaMa needs sides that are multiples of {multiple} and at least {least}, got {height}x{width}"
            )
        # The hole is zeroed, not multiplied by zero: no arithmetic may carry a NaN of it anywhere.
        return torch.cat((image.masked_fill(mask > 0.5, 0.0), mask.to(image.dtype)), dim=1)

    @classmethod
    def discriminators(cls, config: Config, *, seed: int = 0) -> dict[str, Discriminator]:
        """Build the patch discriminator."""
        with drawing_from(seed + 1):
            return {"discriminator": PatchDiscriminator(config)}


def _colors(logits: Tensor) -> Tensor:
    """Return the sigmoid, in float32 at least: the last step decides how fine an image's tones are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).sigmoid()


class PatchDiscriminator(Discriminator):
    """The discriminator of pix2pixHD at one scale, on images alone: it is not told where the hole is."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, strided = config.discriminator.width, config.discriminator.layers
        widths = [width * min(2**number, 8) for number in range(strided + 1)]
        self.first = nn.Conv2d(3, width, 4, stride=2, padding=2)
        self.layers = nn.ModuleList(
            ConvNorm(nn.Conv2d(before, after, 4, stride=2 if number < strided else 1, padding=2), slope=0.2)
            for number, (before, after) in enumerate(pairwise(widths), start=1)
        )
        self.last = nn.Conv2d(widths[-1], 1, 4, padding=2)

    def forward(self, image: Tensor) -> DiscriminatorOutput:
        """Return one logit per patch of 142 pixels, (B, 1, H/16 + 3, W/16 + 3), and each layer's activated output.

        image: (B, 3, H, W) in [0, 1].
        """
        x = nn.functional.leaky_relu(self.first(image), 0.2)
        features = [x]
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return DiscriminatorOutput(self.last(x), tuple(features))
