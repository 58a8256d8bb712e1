"""MI-GAN's generator and its discriminator (Sargsyan, Navasardyan, Xu, Shi, ICCV 2023).

An encoder halves the size down to 4 places for an image of the network's resolution, a decoder doubles it back, adds
the encoder's features and paints a picture at every size, which is added to that of the size below. All convolutions
but those of colors are separable: one for each channel, then one across channels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import InputError
from inpaint.losses.base import Discriminator, DiscriminatorOutput
from inpaint.models.base import InpaintNetwork
from inpaint.models.migan.config import LOWEST, Config, resolutions
from inpaint.models.migan.layers import Pointwise, SeparableConv, Size, activate, deviation_plane
from inpaint.nn.inference import exporting
from inpaint.nn.random import drawing_from
from inpaint.nn.resample import double, halve

PLANES = 4  # whether known (0.5) or hole (-0.5), and the image, on [-1, 1]
SHOWN_FROM = 32  # smallest resolution whose colors are returned


class EncoderBlock(nn.Module):
    """Two separable convolutions of one resolution; the second halves the size, but for the lowest."""

    def __init__(self, config: Config, side: int) -> None:
        super().__init__()
        channels, last = config.channels(side), side == LOWEST
        below = channels if last else config.channels(side // 2)
        self.conv1 = SeparableConv(channels, channels, tensors=config.summed)
        self.conv2 = SeparableConv(channels, below, tensors=config.summed, size="same" if last else "half")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of this resolution (B, C, H, W), and those for the next, (B, C', H/2, W/2)."""
        features = self.conv1(x)
        return features, self.conv2(features)


class SynthesisBlock(nn.Module):
    """Two separable convolutions of one resolution, the encoder's features between them, and a picture."""

    def __init__(self, config: Config, side: int) -> None:
        super().__init__()
        channels, lowest = config.channels(side), side == LOWEST
        before, noise_px = (channels, None) if lowest else (config.channels(side // 2), side)
        size: Size = "same" if lowest else "double"
        self.conv1 = SeparableConv(before, channels, tensors=config.summed, size=size, noise_px=noise_px)
        self.conv2 = SeparableConv(channels, channels, tensors=config.summed, noise_px=noise_px)
        self.torgb = Pointwise(channels, 3, tensors=config.summed)

    def forward(self, x: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features for the next resolution (B, C, H, W), and colors (B, 3, H, W)."""
        y = self.conv1(x)
        y = self.conv2(y + features if torch.is_grad_enabled() or exporting() else y.add_(features))
        return y, self.torgb(y)


class Generator(nn.Module):
    """From planes (B, 4, H, W) to colors of every resolution; sides are multiples of a quarter of the resolution."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.sides = resolutions(config.side)
        self.fromrgb = Pointwise(PLANES, config.channels(config.side), tensors=config.summed and 1)
        self.encoder = nn.ModuleDict({f"b{side}": EncoderBlock(config, side) for side in self.sides})
        self.synthesis = nn.ModuleDict({f"b{side}": SynthesisBlock(config, side) for side in reversed(self.sides)})

    def encode(self, planes: Tensor) -> list[Tensor]:
        """Return the features of every resolution, the highest first, then what the synthesis begins with."""
        y, found = activate(self.fromrgb(planes)), []
        for block in self.encoder.values():
            features, y = block(y)
            found.append(features)
        return [*found, y]

    def synthesize(self, features: list[Tensor]) -> list[Tensor]:
        """Return the colors (B, 3, h, w) of every resolution, the lowest first; pictures are their sums, enlarged."""
        *levels, y = features
        found = []
        for block, skipped in zip(self.synthesis.values(), reversed(levels), strict=True):
            y, colors = block(y, skipped)
            found.append(colors)
        return found

    def forward(self, planes: Tensor) -> list[Tensor]:
        """Do both."""
        return self.synthesize(self.encode(planes))


class Network(InpaintNetwork):
    """MI-GAN on images in [0, 1]; its state dict has the prefix `generator.`."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        with drawing_from(seed):
            self.generator = Generator(config)

    @property
    def minimum_px(self) -> int:
        """Smallest side: one place at the bottom."""
        return self.capabilities.multiple_px

    def forward(self, image: Tensor, mask: Tensor, **planes: Tensor) -> dict[str, Tensor]:
        """Fill the holes.

        Args:
            image: (B, 3, H, W) in [0, 1], not read in the hole. H and W must be multiples of a quarter of the
                resolution; raises InputError otherwise.
            mask: (B, 1, H, W), 1 = hole.
            planes: None.

        Returns:
            "raw" (B, 3, H, W) on our scale, and "colors_32", "colors_64", ... of each resolution from 32 on, what its
            layer adds to the picture of the resolution below.
        """
        painted = self.stages(image, mask)
        return {name: plane for name, plane in painted.items() if not name.startswith("raw_")}

    def stages(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Do the same with "raw_32", "raw_64", ..., the pictures of the resolutions below the highest, from 32 on."""
        sides, colors = self.generator.sides[::-1], self.generator(self._planes(image, mask))
        found = {"raw": (painted := pictures(colors))[-1].to(image.dtype)}
        for side, picture, plane in zip(sides, painted, colors, strict=True):
            if side >= SHOWN_FROM:
                found[f"colors_{side}"] = 0.5 * plane.to(image.dtype)
            if SHOWN_FROM <= side < sides[-1]:
                found[f"raw_{side}"] = picture.to(image.dtype)
        return found

    def parts(self, image: Tensor, mask: Tensor) -> dict[str, Callable[[], object]]:
        """Return encoder and synthesis as tasks of their own."""
        planes = self._planes(image, mask)
        features = self.generator.encode(planes)
        return {
            "encoder": lambda: self.generator.encode(planes),
            "synthesis": lambda: self.generator.synthesize(features),
        }

    def _planes(self, image: Tensor, mask: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        multiple = self.minimum_px
        if height % multiple or width % multiple:
            raise InputError(f"MI-GAN of {self.config.side} px needs multiples of {multiple}, got {height}x{width}")
        # The hole is zeroed, not multiplied by zero: no arithmetic may carry a NaN of it anywhere.
        known = (2 * image - 1).masked_fill(mask > 0.5, 0.0)
        return torch.cat((0.5 - mask.to(image.dtype), known), dim=1)

    @classmethod
    def discriminators(cls, config: Config, *, seed: int = 0) -> dict[str, Discriminator]:
        """Build the discriminator."""
        with drawing_from(seed + 1):
            return {"discriminator": ImageDiscriminator(config)}


def pictures(colors: list[Tensor]) -> list[Tensor]:
    """Return the picture of every resolution on our scale, in float32 at least.

    Args:
        colors: As the generator returns them, on [-1, 1], the lowest resolution first.

    Returns:
        (B, 3, h, w) each: the colors and the picture of the resolution below, enlarged.
    """
    found: list[Tensor] = []
    for plane in colors:
        # The sum decides how fine an image's tones are.
        exact = plane.to(torch.promote_types(plane.dtype, torch.float32))
        found.append(exact if not found else exact + double(found[-1]))
    return [(picture + 1) / 2 for picture in found]


class DiscriminatorBlock(nn.Module):
    """Two separable convolutions, the second halving the size, beside one that only brings the size down."""

    def __init__(self, config: Config, side: int) -> None:
        super().__init__()
        channels, below = (config.discriminator.channels(each) for each in (side, side // 2))
        gain = 0.5**0.5  # of either way: their sum keeps the size of the signals
        self.conv1 = SeparableConv(channels, channels, tensors=config.tensors)
        self.conv2 = SeparableConv(channels, below, tensors=config.tensors, size="half", gain=gain)
        self.skip = Pointwise(channels, below, tensors=config.tensors, bias=False)
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to (B, C', H/2, W/2)."""
        y: Tensor = self.gain * self.skip(halve(x)) + self.conv2(self.conv1(x))
        return y


class ImageDiscriminator(Discriminator):
    """One logit per image, told where the hole is and how much the images of a batch differ.

    Images must have the sides of the network's resolution.
    """

    inputs = (Discriminator.IMAGE, "mask")

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.side = config.side
        *sides, _ = resolutions(config.side)
        channels, top = config.discriminator.channels(LOWEST), config.discriminator.channels(config.side)
        self.fromrgb = Pointwise(PLANES, top, tensors=config.tensors)
        self.blocks = nn.ModuleDict({f"b{side}": DiscriminatorBlock(config, side) for side in sides})
        self.conv = SeparableConv(channels + 1, channels, tensors=config.tensors)
        self.dense = EqualizedLinear(channels * LOWEST**2, channels)
        self.out = EqualizedLinear(channels, 1)

    def forward(self, image: Tensor, mask: Tensor) -> DiscriminatorOutput:
        """Return one logit per image, (B, 1).

        Args:
            image: (B, 3, R, R) in [0, 1], R the network's resolution; raises InputError for another size.
            mask: (B, 1, R, R), 1 = hole.
        """
        if image.shape[-2:] != (self.side, self.side):
            height, width = image.shape[-2:]
            raise InputError(f"the discriminator reads images of {self.side}x{self.side}, got {height}x{width}")
        x = activate(self.fromrgb(torch.cat((0.5 - mask, 2 * image - 1), dim=1)))
        for block in self.blocks.values():
            x = block(x)
        x = self.conv(torch.cat((x, deviation_plane(x)), dim=1))
        return DiscriminatorOutput(self.out(activate(self.dense(x.flatten(1)))))


class EqualizedLinear(nn.Module):
    """A dense layer whose weights, drawn with deviation 1, are divided by the root of its inputs (StyleGAN)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs) to (B, outputs)."""
        return F.linear(x, self.weight / self.weight.shape[1] ** 0.5, self.bias)
