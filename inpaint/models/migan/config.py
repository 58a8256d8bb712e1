"""Architecture of MI-GAN. The defaults are those of the published models, which differ in their resolution alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from inpaint.options import ModelConfig, Options
from inpaint.types import Capabilities

LOWEST = 4  # side of the features at the bottom of a network, for images of its resolution
AT_LEAST = 8


def _power_of_two(side: int) -> int:
    if side < AT_LEAST or side & (side - 1):
        raise ValueError(f"must be a power of two and at least {AT_LEAST}, got {side}")
    return side


Resolution = Annotated[int, AfterValidator(_power_of_two)]


def resolutions(highest: int) -> list[int]:
    """Return the sides of the features from the highest to 4."""
    return [highest >> halvings for halvings in range(highest.bit_length() - LOWEST.bit_length() + 1)]


class Channels(Options):
    """Channels at resolution r are channel_base / r, at most channel_max."""

    channel_base: int = Field(32768, gt=0)  # official: 64 channels at 512, 128 at 256
    channel_max: int = Field(512, gt=0)  # official: from 64 down

    def channels(self, resolution: int) -> int:
        """Return the channels at one resolution."""
        return max(min(self.channel_base // resolution, self.channel_max), 1)


class Config(Channels, ModelConfig):
    """The generator and, for training, its discriminator."""

    SMALL: ClassVar = {
        "resolution": 64,
        "channel_base": 256,
        "channel_max": 8,
        "discriminator": {"channel_base": 256, "channel_max": 8},
    }
    CONCERNS: ClassVar[Mapping[str, frozenset[str]]] = {"discriminator": frozenset({"discriminator"})}

    # Side of the images that it is trained on; larger and smaller ones are filled as well. auto: the side of the
    # training crops (256 where there are none); a training writes the number it took. Official 256 and 512.
    resolution: Resolution | Literal["auto"] = "auto"
    # training: each kernel is a sum of several tensors, brought to length 1. deployed: each kernel is one tensor, used
    # as it is; what the authors publish, and what a run becomes when it is loaded to fill.
    form: Literal["training", "deployed"] = "training"
    tensors: int = Field(9, ge=1)  # of each kernel in the form of training; official 9
    discriminator: Channels = Channels()

    @property
    def side(self) -> int:
        """Return the resolution; where no crop has decided it, 256."""
        return 256 if self.resolution == "auto" else self.resolution

    @property
    def summed(self) -> int | None:
        """Return of how many tensors a kernel of the generator is the sum; None for one that is used as it is."""
        return self.tensors if self.form == "training" else None

    def for_crop(self, side: int) -> Self:
        """Return the options with the resolution that suits crops of this side."""
        fits = side >= AT_LEAST and not side & (side - 1)
        return self.model_copy(update={"resolution": side}) if self.resolution == "auto" and fits else self

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return Capabilities(
            trained=True,
            trained_px=self.side,
            multiple_px=self.side // LOWEST,
            pixel_bytes=150 + 21 * self.channels(self.side),  # measured 2,800 to 2,900 at 256, 1,457 at 512
        )
