"""DeepFillv2: gated convolutions, a coarse and a refining stage, contextual attention, SN-PatchGAN.

Yu et al., "Free-Form Image Inpainting with Gated Convolution", ICCV 2019 (arXiv 1806.03589). Layers carry the names of
the official program: conv1..17 are stage 1; xconv the convolution branch, pmconv the attention branch and allconv the
decoder of stage 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from inpaint.errors import InputError
from inpaint.losses.base import Discriminator, DiscriminatorOutput
from inpaint.models.base import InpaintNetwork, Rear
from inpaint.models.deepfill.config import Config, PlanesStage1, PlanesStage2
from inpaint.models.patch_gan import SNPatchGAN
from inpaint.nn.attention import ContextualAttention
from inpaint.nn.gated import Activation, GatedConv2d, initialize_
from inpaint.nn.padding import PaddedConv2d
from inpaint.nn.random import drawing_from


class Generator(nn.Module):
    """Both stages, in the network's own range of values."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        half, full, double, quarter = config.width // 2, config.width, 2 * config.width, config.width // 4

        def conv(
            inputs: int,
            features: int,
            kernel: int = 3,
            *,
            stride: int = 1,
            dilation: int = 1,
            activation: Activation = "elu",
            upsample: bool = False,
        ) -> GatedConv2d:
            return GatedConv2d(
                inputs,
                features,
                kernel,
                stride=stride,
                dilation=dilation,
                padding=config.padding,
                activation=activation,
                upsample=upsample,
            )

        def head(inputs: int) -> PaddedConv2d:
            if config.gate_output:
                return conv(inputs, 3, activation="none")
            return PaddedConv2d(inputs, 3, 3, padding=config.padding)

        # Stage 1: (B, stage1_planes, H, W) -> coarse (B, 3, H, W)
        self.conv1 = conv(stage1_planes(config), half, 5)
        self.conv2 = conv(half, full, stride=2)
        self.conv3 = conv(full, full)
        self.conv4 = conv(full, double, stride=2)
        self.conv5 = conv(double, double)
        self.conv6 = conv(double, double)
        self.conv7 = conv(double, double, dilation=2)
        self.conv8 = conv(double, double, dilation=4)
        self.conv9 = conv(double, double, dilation=8)
        self.conv10 = conv(double, double, dilation=16)
        self.conv11 = conv(double, double)
        self.conv12 = conv(double, double)
        self.conv13 = conv(double, full, upsample=True)
        self.conv14 = conv(full, full)
        self.conv15 = conv(full, half, upsample=True)
        self.conv16 = conv(half, quarter)
        self.conv17 = head(quarter)

        # Stage 2, convolution branch: pasted image -> (B, 2 width, H/4, W/4)
        planes = {"image": 3, "image_mask": 4, "image_ones_mask": 5}[config.stage2_input]
        self.xconv1 = conv(planes, half, 5)
        self.xconv2 = conv(half, half, stride=2)
        self.xconv3 = conv(half, full)
        self.xconv4 = conv(full, full, stride=2)
        self.xconv5 = conv(full, double)
        self.xconv6 = conv(double, double)
        self.xconv7 = conv(double, double, dilation=2)
        self.xconv8 = conv(double, double, dilation=4)
        self.xconv9 = conv(double, double, dilation=8)
        self.xconv10 = conv(double, double, dilation=16)

        # Stage 2, attention branch: the same image -> (B, 2 width, H/4, W/4)
        self.pmconv1 = conv(planes, half, 5)
        self.pmconv2 = conv(half, half, stride=2)
        self.pmconv3 = conv(half, full)
        self.pmconv4 = conv(full, double, stride=2)
        self.pmconv5 = conv(double, double)
        self.pmconv6 = conv(double, double, activation=config.pre_attention_activation)
        self.attention = ContextualAttention(**config.attention.model_dump())
        self.pmconv9 = conv(double, double)
        self.pmconv10 = conv(double, double)

        # Stage 2, decoder of both branches together: -> refined (B, 3, H, W)
        d1, d2, d3, d4 = config.decoder_widths or (double, full, half, quarter)
        self.allconv11 = conv(2 * double, d1)
        self.allconv12 = conv(d1, d1)
        self.allconv13 = conv(d1, d2, upsample=True)
        self.allconv14 = conv(d2, d2)
        self.allconv15 = conv(d2, d3, upsample=True)
        self.allconv16 = conv(d3, d4)
        self.allconv17 = head(d4)

    def _run(self, x: Tensor, prefix: str, first: int, last: int) -> Tensor:
        for number in range(first, last + 1):
            x = getattr(self, f"{prefix}{number}")(x)
        return x

    def coarse(self, planes: Tensor) -> Tensor:
        """Stage 1: planes (B, stage1_planes, H, W) -> (B, 3, H, W)."""
        return self._run(planes, "conv", 1, 17).tanh()

    def refined(self, planes: Tensor, mask: Tensor) -> Tensor:
        """Stage 2: planes (B, stage2_planes, H, W), mask (B, 1, H, W) -> (B, 3, H, W)."""
        return self.decoded(self.branches(planes, mask))

    def branches(self, planes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return what both branches of stage 2 find, (B, 2 width, H/4, W/4) each."""
        convolved = self._run(planes, "xconv", 1, 10)
        attended = self.attention(self._run(planes, "pmconv", 1, 6), mask)
        return convolved, self._run(attended, "pmconv", 9, 10)

    def decoded(self, branches: Sequence[Tensor]) -> Tensor:
        """Paint from both branches: (B, 3, H, W)."""
        return self._run(torch.cat(tuple(branches), dim=1), "allconv", 11, 17).tanh()

    def forward(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return (coarse, refined), each (B, 3, H, W); image in the network's range, sketch or None if not guided."""
        coarse, planes = self.first(image, mask, sketch)
        return coarse, self.refined(planes, mask)

    def first(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what stage 1 paints (B, 3, H, W), and what stage 2 reads (B, stage2_planes, H, W)."""
        hole = mask > 0.5
        masked = image.masked_fill(hole, self.config.hole_fill)
        coarse = self.coarse(_planes(self.config.stage1_input, masked, mask, sketch))
        # The gradient of stage 2 flows into stage 1 through the pasted image, as in the official program.
        pasted = torch.where(hole, coarse, image)
        return coarse, _planes(self.config.stage2_input, pasted, mask)


def stage1_planes(config: Config) -> int:
    """Return how many planes stage 1 reads."""
    return 3 + int(config.sketch) + (2 if config.stage1_input == "image_ones_mask" else 1)


def _planes(names: PlanesStage1 | PlanesStage2, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> Tensor:
    """Stack [image, sketch, ones, mask], those that are named, along the channels."""
    planes = [image]
    if sketch is not None:
        planes.append(sketch)
    if names == "image_ones_mask":
        planes.append(torch.ones_like(mask))
    if names != "image":
        planes.append(mask)
    return torch.cat(planes, dim=1) if len(planes) > 1 else image


class Network(InpaintNetwork):
    """DeepFillv2 on images in [0, 1]; its state dict has the prefix `generator.`."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        with drawing_from(seed):
            self.generator = Generator(config)
            initialize_(self.generator, config.initialization)

    @property
    def minimum_px(self) -> int:
        """Smallest side: reflecting 16 places (the widest dilation) at 1/4 of the size needs 17 of them."""
        return 72 if self.config.padding == "reflect" else 8

    def forward(  # type: ignore[override]
        self, image: Tensor, mask: Tensor, *, sketch: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Fill the holes: {"raw", "coarse"}, each (B, 3, H, W) on our scale and not clamped.

        image: (B, 3, H, W) in [0, 1], not read in the hole. mask: (B, 1, H, W), 1 = hole. sketch: (B, 1, H, W),
        1 = line, read in the hole only; for a guided network that is given none, no lines. H and W must be multiples
        of 8 and at least `minimum_px`; raises InputError otherwise.
        """
        known, sketch = self._read(image, mask, sketch)
        coarse, refined = self.generator(known, mask, sketch)
        return {"raw": self._on_our_scale(refined, image), "coarse": self._on_our_scale(coarse, image)}

    def split(self, image: Tensor, mask: Tensor, **planes: Tensor) -> tuple[tuple[Tensor, ...], Rear]:
        """Return what the two branches of stage 2 find, and its decoder."""
        known, sketch = self._read(image, mask, planes.get("sketch"))
        _, read = self.generator.first(known, mask, sketch)

        def paint(features: Sequence[Tensor]) -> Tensor:
            return self._on_our_scale(self.generator.decoded(features), image)

        return self.generator.branches(read, mask), paint

    def _read(self, image: Tensor, mask: Tensor, sketch: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the known image in the network's range, and its sketch."""
        height, width = image.shape[-2:]
        if height % 8 or width % 8 or min(height, width) < self.minimum_px:
            # The map at 1/4 must have even sides.
            raise InputError(
                f"DeepFillv2 needs sides that are multiples of 8 and at least {self.minimum_px}, got {height}x{width}"
            )
        if sketch is not None and not self.config.sketch:
            raise InputError("this network was built without a sketch plane (sketch=false), but a sketch was given")
        hole = mask > 0.5
        # Zeroed first, so that no later arithmetic can carry a NaN of the hole anywhere, in gradients either.
        known = image.masked_fill(hole, 0.0)
        if self.config.value_range == "pm1":
            known = 2 * known - 1
        if self.config.sketch:
            sketch = torch.zeros_like(mask) if sketch is None else sketch.masked_fill(~hole, 0.0)
        return known, sketch

    def _on_our_scale(self, painted: Tensor, image: Tensor) -> Tensor:
        """Return what the network painted in the type of the image and in its range."""
        painted = painted.to(image.dtype)  # half precision under autocast
        return (painted + 1) / 2 if self.config.value_range == "pm1" else painted

    @classmethod
    def discriminators(cls, config: Config, *, seed: int = 0) -> dict[str, Discriminator]:
        """Build SN-PatchGAN."""
        with drawing_from(seed + 1):
            return {"discriminator": SNPatchDiscriminator(config)}


class SNPatchDiscriminator(SNPatchGAN):
    """SN-PatchGAN (section 3.2 of the paper) on an image, its mask and, for a guided model, its sketch."""

    def __init__(self, config: Config) -> None:
        settings = config.discriminator
        super().__init__(4 + int(config.sketch), width=settings.width, padding=settings.padding)
        self.sketch = config.sketch
        self.inputs = (self.IMAGE, "mask", *(["sketch"] if config.sketch else []))

    def forward(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> DiscriminatorOutput:
        """Return logits (B, 4 width, H/64, W/64), rounded up, of images (B, 3, H, W) in [0, 1] and masks (B, 1, H, W).

        sketch: (B, 1, H, W), read in the hole only; for a guided model that is given none, no lines.
        """
        if sketch is not None and not self.sketch:
            raise InputError(
                "this discriminator was built without a sketch plane (sketch=false), but a sketch was given"
            )
        planes = [2 * image - 1, mask]
        if self.sketch:
            planes.append(torch.zeros_like(mask) if sketch is None else sketch * mask)
        return self.of_planes(planes)
