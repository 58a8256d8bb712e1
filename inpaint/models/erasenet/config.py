"""Architecture of EraseNet. The defaults are those of the authors' program, but for the planes of the mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from inpaint.images.guidance import CONTAMINATED
from inpaint.options import ModelConfig, Options
from inpaint.types import Capabilities, Plane


class DiscriminatorConfig(Options):
    """Two stacks of 4 x 4 convolutions of stride 2, of the image and of what lies in the hole, and one on both."""

    width: int = Field(64, gt=0)  # outputs of the first layer; official 64 (then 128, 256, 256, 256, 256)
    layers: int = Field(6, ge=1)  # of each stack; official 6


class Config(ModelConfig):
    """The generator and, for training, its discriminator."""

    SMALL: ClassVar = {"width": 4, "discriminator": {"width": 4, "layers": 3}}
    CONCERNS: ClassVar[Mapping[str, frozenset[str]]] = {"discriminator": frozenset({"discriminator"})}

    width: int = Field(32, ge=2, multiple_of=2)  # outputs of the first layer; official 32 (512 at 1/32 of the size)
    mask_planes: int = Field(1, ge=1)  # official 3, all of which learn the same mask; their mean is the map
    discriminator: DiscriminatorConfig = DiscriminatorConfig()

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return Capabilities(
            trained=True,
            blind=True,
            trained_px=512,
            multiple_px=32,
            pixel_bytes=35 * self.width,  # measured at width 32: 1,120 at 512 px, 870 at 768, 680 at 1280; 510 at 16
        )

    def training_planes(self) -> tuple[Plane, ...]:
        """Return the contaminated photo."""
        return (CONTAMINATED,)
