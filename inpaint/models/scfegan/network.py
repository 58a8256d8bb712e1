"""SC-FEGAN: a U-Net of gated convolutions that fills along a sketch and strokes of color.

Jo and Park, "SC-FEGAN: Face Editing Generative Adversarial Network with User's Sketch and Color", ICCV 2019
(arXiv 1902.06838), section 3.2; details as in the authors' program. Their training code is not public: what follows for
the discriminator and the losses is in the configuration.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint.errors import InputError
from inpaint.losses.base import Discriminator, DiscriminatorOutput
from inpaint.models.base import Encoding, SamplingNetwork
from inpaint.models.patch_gan import SNPatchGAN
from inpaint.models.scfegan.config import Config, FillOptions
from inpaint.models.scfegan.layers import GatedUp, Merge, ResponseGatedConv2d, initialize_
from inpaint.nn.random import drawing_from
from inpaint.weights.graphs import NOISE, GraphInput


class Generator(nn.Module):
    """Halves the size `levels` times, dilates there, and doubles it again beside what was found on the way down.

    On the image in [-1, 1], 0 in the hole.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = config.widths
        kernels = (7, 5, 5, *[3] * (config.levels - 3))
        before = (config.planes, *widths)
        self.down = nn.ModuleList(
            ResponseGatedConv2d(before[level], width, kernels[level], stride=2, norm=level > 0)
            for level, width in enumerate(widths)
        )
        deepest = widths[-1]
        self.middle = nn.ModuleList(
            ResponseGatedConv2d(deepest, deepest, dilation=dilation) for dilation in config.dilations
        )
        # From the deepest to full size: up doubles, merge reads the map of the way down first, then what was doubled.
        below, beside = (*widths[::-1],), (*widths[-2::-1],)
        self.up = nn.ModuleList(
            GatedUp(width, after, gate=config.up_gate) for width, after in zip(below, (*beside, 3), strict=True)
        )
        self.merge = nn.ModuleList(Merge(2 * width, width) for width in beside)
        self.merge.append(Merge(config.planes + 3, 3, norm=False, activation="none"))

    def forward(self, planes: Tensor) -> Tensor:
        """Map planes (B, planes, H, W) to an image (B, 3, H, W) in [-1, 1]."""
        return self.rear(planes, *self.front(planes))

    def front(self, planes: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of the way down, (B, width, H/2, W/2) and deeper; behind them the deepest one, dilated."""
        maps = []
        x = planes
        for layer in self.down:
            x = layer(x)
            maps.append(x)
        for layer in self.middle:
            x = layer(x)
        return (*maps, x)

    def rear(self, planes: Tensor, *maps: Tensor) -> Tensor:
        """Paint from what `front` returns."""
        x = maps[-1]
        for up, merge, beside in zip(self.up, self.merge, (*maps[-3::-1], planes), strict=True):
            x = merge(beside, up(x))
        return x.tanh()


class Network(SamplingNetwork):
    """SC-FEGAN on images in [0, 1]; its only role is `generator`. Its latents are the noise plane."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        self.noise = config.noise
        with drawing_from(seed):
            self.generator = Generator(config)
            initialize_(self.generator)

    @property
    def minimum_px(self) -> int:
        """Smallest side."""
        return self.capabilities.multiple_px

    def configure(self, options: FillOptions) -> None:
        """Choose the noise of fills."""
        if options.noise is not None:
            self.noise = options.noise

    def forward(  # type: ignore[override]
        self,
        image: Tensor,
        mask: Tensor,
        *,
        sketch: Tensor | None = None,
        color: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Fill the holes: {"raw"} (B, 3, H, W) on our scale and not clamped.

        image: (B, 3, H, W) in [0, 1], mask: (B, 1, H, W), 1 = hole. Of the image only what is known is read, of all
        other planes only what lies in the hole. sketch: (B, 1, H, W), 1 = line. color: (B, 4, H, W), RGB and alpha,
        0 = not given. noise: (B, 1, H, W), standard normal; none is the mean, 0. H and W must be multiples of 2 to the
        power of `levels`; raises InputError otherwise.
        """
        encoding = self.encode(image, mask, sketch=sketch, color=color)
        return self.decode(encoding, torch.zeros_like(mask) if noise is None else noise * encoding.sigma)

    def encode(  # type: ignore[override]
        self, image: Tensor, mask: Tensor, *, sketch: Tensor | None = None, color: Tensor | None = None
    ) -> Encoding:
        """Return the planes to paint from, and a distribution of noise: standard normal in the hole, 0 elsewhere."""
        height, width = image.shape[-2:]
        multiple = self.minimum_px
        if height % multiple or width % multiple:
            raise InputError(f"SC-FEGAN needs sides that are multiples of {multiple}, got {height}x{width}")
        hole = (mask > 0.5).to(image.dtype)
        known = image.masked_fill(mask > 0.5, 0.5)  # no later arithmetic may meet a NaN
        planes = [2 * known - 1, *guidance_planes(hole, sketch, color, given=self.config.color_given), hole]
        return Encoding(mu=torch.zeros_like(hole), sigma=hole, context={"planes": torch.cat(planes, dim=1)})

    def decode(self, encoding: Encoding, z: Tensor) -> dict[str, Tensor]:
        """Paint with noise z (B, 1, H, W), read in the hole alone: {"raw"} on our scale, not clamped."""
        planes = encoding.context["planes"]
        noise = (z >= 1).to(planes.dtype) if self.noise == "binary" else z.to(planes.dtype)
        painted = self.generator(torch.cat((planes, noise * encoding.sigma), dim=1))
        painted = painted.to(torch.promote_types(planes.dtype, torch.float32))  # half precision under autocast
        return {"raw": (painted + 1) / 2}

    def graph_inputs(self) -> tuple[GraphInput, ...]:
        """Return sketch, color and noise."""
        return (*super().graph_inputs(), GraphInput(name=NOISE, channels=1))

    @classmethod
    def discriminators(cls, config: Config, *, seed: int = 0) -> dict[str, Discriminator]:
        """Build SN-PatchGAN."""
        with drawing_from(seed + 1):
            return {"discriminator": GuidedDiscriminator(config)}


class GuidedDiscriminator(SNPatchGAN):
    """SN-PatchGAN on an image, what was asked for in the hole, and the hole."""

    inputs = (Discriminator.IMAGE, "mask", "sketch", "color")

    def __init__(self, config: Config) -> None:
        settings = config.discriminator
        super().__init__(8 + int(config.color_given), width=settings.width, padding=settings.padding)
        self.color_given = config.color_given

    def forward(
        self, image: Tensor, mask: Tensor, sketch: Tensor | None = None, color: Tensor | None = None
    ) -> DiscriminatorOutput:
        """Return logits (B, 4 width, H/64, W/64), rounded up, of images (B, 3, H, W) in [0, 1] and masks (B, 1, H, W).

        sketch: (B, 1, H, W). color: (B, 4, H, W). Both are read in the hole only; none asks for nothing.
        """
        return self.of_planes([2 * image - 1, *guidance_planes(mask, sketch, color, given=self.color_given), mask])


def guidance_planes(hole: Tensor, sketch: Tensor | None, color: Tensor | None, *, given: bool) -> list[Tensor]:
    """Return what is asked for in the hole, as the network reads it: 0 outside.

    hole: (B, 1, H, W), 1 or 0. sketch: (B, 1, H, W), 1 = line. color: (B, 4, H, W), RGB and alpha in [0, 1].
    given: with a plane that is 1 where a color is given.

    Returns the sketch (B, 1, H, W), the color (B, 3, H, W) in [-1, 1], -1 (black) where none is given, and that plane.
    """
    inside = hole > 0.5
    lines = torch.zeros_like(hole) if sketch is None else sketch.to(hole).masked_fill(~inside, 0.0)
    if color is None:
        stroke, values = torch.zeros_like(inside), hole.expand(-1, 3, -1, -1)
    else:
        stroke, values = inside & (color[:, 3:] > 0), 2 * color[:, :3].to(hole) - 1
    colors = torch.where(stroke, values, -hole)  # (B, 3, H, W)
    return [lines, colors, *([stroke.to(hole)] if given else [])]
