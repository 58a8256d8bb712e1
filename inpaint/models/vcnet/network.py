"""VCNet's networks (Wang et al., ECCV 2020, arXiv 2003.06816): one finds the contaminated pixels, one paints them.

Both are encoders and decoders of residual blocks with two halvings. The generator reads the whole contaminated image;
the mask enters through its normalization alone, and the mask network's features beside its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import InputError
from inpaint.losses.base import Discriminator
from inpaint.models.base import Encoded, InpaintNetwork
from inpaint.models.vcnet.blocks import Block
from inpaint.models.vcnet.config import Config
from inpaint.models.vcnet.critics import PatchCritic, WholeCritic
from inpaint.nn.context_norm import Regions
from inpaint.nn.gated import initialize_
from inpaint.nn.padding import PaddedConv2d
from inpaint.nn.random import drawing_from

NETWORKS = ("mask_network", "generator")


class Found(NamedTuple):
    """What the mask network makes of an image: logits (B, 1, H, W), and features (B, 4 width, H/4, W/4)."""

    logits: Tensor
    features: Tensor


class MaskNetwork(nn.Module):
    """From an image (B, 3, H, W) in [-1, 1] to the logits of its contaminated pixels; paper section 3.1."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        g = config.width
        around: dict[str, Any] = {
            "shortcut": "always" if config.shortcuts == "origin" else "changed",
            "padding": config.padding,
        }
        self.shallow = config.mask_branch == "shallow"
        self.down1 = Block(3, 2 * g, 5, stride=2, **around)  # (B, 2g, H/2, W/2)
        self.down2 = Block(2 * g, 4 * g, 3, stride=2, **around)  # (B, 4g, H/4, W/4)
        self.wide2 = Block(4 * g, 4 * g, 3, dilation=2, **around)
        self.wide4 = Block(4 * g, 4 * g, 3, dilation=4, **around)
        self.middle = PaddedConv2d(4 * g, 4 * g, 3) if self.shallow else Block(4 * g, 4 * g, 3, **around)
        self.up1 = Block(4 * g, 2 * g, 3, up=True, **around)  # (B, 2g, H/2, W/2)
        self.up2 = Block(2 * g, g, 3, up=True, **around)  # (B, g, H, W)
        self.compress = PaddedConv2d(g, max(g // 2, 1), 3)
        self.head = PaddedConv2d(max(g // 2, 1), 1, 3)
        initialize_(self)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the decoder reads and what the generator does, (B, 4g, H/4, W/4) each."""
        near = self.wide2(self.down2(self.down1(x)))
        far = self.wide4(near)
        return (near if self.shallow else far), far

    def forward(self, x: Tensor) -> Found:
        """Map x (B, 3, H, W)."""
        read, features = self.encode(x)
        x = self.middle(read)
        if self.shallow:
            x = F.elu(x)
        logits: Tensor = self.head(F.elu(self.compress(self.up2(self.up1(x)))))
        return Found(logits, features)


class Generator(nn.Module):
    """From the contaminated image to a clean one, by mask and features of the mask network; paper section 3.2."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        g = config.width
        origin, self.late = config.shortcuts == "origin", config.bottleneck == "full"
        settings: dict[str, Any] = {"padding": config.padding, "norm": config.normalization}
        around = {**settings, "shortcut": "always" if origin else "changed"}
        lone = {**settings, "shortcut": "none"} if origin else around
        self.stem = Block(3, g, 5, **around)
        self.down1 = Block(g, 2 * g, 3, stride=2, **around)
        self.keep1 = Block(2 * g, 2 * g, 3, **around)
        self.down2 = Block(2 * g, 4 * g, 3, stride=2, **around)
        self.keep2 = Block(4 * g, 4 * g, 3, **around)
        self.wide = nn.ModuleList(
            (
                Block(4 * g, 4 * g, 3, dilation=2, **around),
                Block(4 * g, 4 * g, 3, dilation=2, **lone),
                Block(4 * g, 4 * g, 3, dilation=4, **lone),
                Block(4 * g, 4 * g, 3, dilation=4, **around),
            )
        )
        self.last = Block(4 * g, 4 * g, 3, **around)
        self.up1 = Block(4 * g if self.late else 8 * g, 2 * g, 3, up=True, **around)
        self.keep3 = Block(2 * g, 2 * g, 3, **around)
        self.up2 = Block(2 * g, g, 3, up=True, **around)
        self.keep4 = Block(g, g, 3, **around)
        self.compress = nn.ModuleList()
        if self.late:
            self.compress.extend((PaddedConv2d(5 * g, g, 3), PaddedConv2d(g, max(g // 2, 1), 3)))
        self.head = PaddedConv2d(max(g // 2, 1) if self.late else g, 3, 3)
        initialize_(self)

    def forward(self, x: Tensor, hole: Tensor, features: Tensor) -> Tensor:
        """Paint from x (B, 3, H, W) in [-1, 1], the mask (B, 1, H, W) in [0, 1] and features (B, 4g, H/4, W/4)."""
        full = Regions.of(hole)
        half = full.halved()
        quarter = half.halved()
        x = self.keep1(self.down1(self.stem(x, full), half), half)
        x = self.keep2(self.down2(x, quarter), quarter)
        for block in self.wide:
            x = block(x, quarter)
        x = self.last(x, quarter)
        if not self.late:
            x = torch.cat((x, features), dim=1)
        x = self.keep3(self.up1(x, half), half)
        x = self.keep4(self.up2(x, full), full)
        if self.late:
            wide = F.interpolate(features, x.shape[-2:], mode="bilinear", align_corners=True)
            x = torch.cat((x, wide), dim=1)
            for layer in self.compress:
                x = F.elu(layer(x))
        painted: Tensor = self.head(x)
        return painted


class Network(InpaintNetwork):
    """VCNet on images in [0, 1]; its roles are `mask_network` and `generator`."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        with drawing_from(seed):
            self.mask_network, self.generator = MaskNetwork(config), Generator(config)

    @property
    def minimum_px(self) -> int:
        """Smallest side that `forward` accepts."""
        return 4

    def find_mask(self, image: Tensor) -> Tensor:
        """Return how likely each pixel is contaminated, (B, 1, H, W) in [0, 1], of images (B, 3, H, W) in [0, 1]."""
        return self.probability(self.find(image).logits)

    def find_and_encode(self, image: Tensor) -> tuple[Tensor, Encoded]:
        """Return the mask and the mask network's features."""
        found = self.find(image)
        return self.probability(found.logits), (found.features,)

    def paint_encoded(self, image: Tensor, mask: Tensor, encoded: Encoded, **planes: Tensor) -> dict[str, Tensor]:
        """Return what `forward` does."""
        return {"raw": self.paint(image, mask, *encoded)}

    def forward(self, image: Tensor, mask: Tensor, **planes: Tensor) -> dict[str, Tensor]:
        """Paint over what is contaminated: {"raw"} (B, 3, H, W) in [0, 1].

        image: (B, 3, H, W) in [0, 1], read everywhere. mask: (B, 1, H, W) in [0, 1], 1 = contaminated; soft, as
        `find_mask` returns it, or 0 and 1. H and W must be multiples of 4; raises InputError otherwise.
        """
        _, features = self.mask_network.encode(self._input(image))
        return {"raw": self.paint(image, mask, features)}

    def find(self, image: Tensor) -> Found:
        """Return the mask network's logits for images (B, 3, H, W) in [0, 1], and its features for the generator."""
        found: Found = self.mask_network(self._input(image))
        return found

    def probability(self, logits: Tensor) -> Tensor:
        """Return the mask that logits stand for, in [0, 1]."""
        return logits.sigmoid() if self.config.probability == "sigmoid" else logits.clamp(0, 1)

    def paint(self, image: Tensor, mask: Tensor, features: Tensor) -> Tensor:
        """Paint everywhere, (B, 3, H, W) in [0, 1]; features: from `find`, else as `forward`."""
        painted = self.generator(self._input(image), mask.to(image.dtype), features)
        bounded = painted.tanh() if self.config.output == "tanh" else painted.clamp(-1, 1)
        colors: Tensor = (bounded + 1) / 2
        return colors.to(image.dtype)

    def _input(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        if height % 4 or width % 4:
            raise InputError(f"VCNet needs sides that are multiples of 4, got {height}x{width}")
        return 2 * image - 1

    @classmethod
    def discriminators(cls, config: Config, *, seed: int = 0) -> dict[str, Discriminator]:
        """Build both critics."""
        with drawing_from(seed + 1):
            return {"discriminator": WholeCritic(config), "patch_discriminator": PatchCritic(config)}
