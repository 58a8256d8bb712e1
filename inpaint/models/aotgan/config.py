"""Architecture of AOT-GAN. The defaults are those of the authors' program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from inpaint.options import ModelConfig, Options
from inpaint.types import Capabilities


class DiscriminatorConfig(Options):
    """The patch discriminator: five 4 x 4 convolutions, the first four with spectral norm."""

    width: int = Field(64, gt=0)  # outputs of the first layer; official 64 (then 128, 256, 512, 1)


class Config(ModelConfig):
    """The generator and, for training, its discriminator."""

    SMALL: ClassVar = {"width": 4, "blocks": 1, "discriminator": {"width": 4}}
    CONCERNS: ClassVar[Mapping[str, frozenset[str]]] = {"discriminator": frozenset({"discriminator"})}

    width: int = Field(64, gt=0)  # outputs of the first layer; official 64 (then 128, 256)
    blocks: int = Field(8, gt=0)  # official 8
    # Dilation rates of a block's branches, which share the channels of a quarter of the size; official 1, 2, 4, 8.
    rates: tuple[int, ...] = (1, 2, 4, 8)
    discriminator: DiscriminatorConfig = DiscriminatorConfig()

    @model_validator(mode="after")
    def _rates_share_the_channels(self) -> Self:
        if not self.rates or min(self.rates) < 1:
            raise ValueError(f"rates must be whole numbers of at least 1, got {list(self.rates)}")
        if self.channels % len(self.rates):
            raise ValueError(f"width={self.width}: {len(self.rates)} rates cannot share {self.channels} channels alike")
        return self

    @property
    def channels(self) -> int:
        """Channels at a quarter of the size."""
        return 4 * self.width

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return Capabilities(
            trained=True,
            refinable=True,
            trained_px=512,
            multiple_px=4,
            pixel_bytes=400 + 13 * self.width,  # measured 1,176 to 1,256 at width 64, 784 at 32, from 256 to 704 px
        )
