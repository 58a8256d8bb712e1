"""Architecture of SC-FEGAN. The defaults are the authors' but where their program is known to go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from inpaint.images.guidance import COLOR, DRAWN_BY_HAND, SKETCH
from inpaint.options import ModelConfig, Options
from inpaint.types import Capabilities

DRAWING = replace(SKETCH, options=DRAWN_BY_HAND)
Noise: TypeAlias = Literal["gaussian", "binary"]


class DiscriminatorConfig(Options):
    """SN-PatchGAN on the image, sketch, colors and mask.

    The authors' discriminator is not public; the paper names spectral norm, 3 x 3 kernels and patches. Ours is that of
    DeepFillv2, which also sees what was asked for, so that not to follow it costs.
    """

    width: int = Field(64, gt=0)  # outputs of the first layer (then 128, 256, 256, 256, 256), as in DeepFillv2
    padding: Literal["same_tf", "zero"] = "same_tf"


class FillOptions(Options):
    """noise: what the noise plane holds, gaussian or binary. null: as the network was trained."""

    noise: Noise | None = None


class Config(ModelConfig):
    """The generator and, for training, its discriminator."""

    SMALL: ClassVar = {"width": 4, "levels": 3, "discriminator": {"width": 4}}
    CONCERNS: ClassVar[Mapping[str, frozenset[str]]] = {"discriminator": frozenset({"discriminator"})}
    PLANES: ClassVar = (DRAWING, COLOR)
    FillOptions: ClassVar = FillOptions

    width: int = Field(64, gt=0)  # features of the first layer; official 64, then 2, 4 and 8 times as many
    # How often the size is halved; official 7, so that sides are multiples of 128 and dilation hardly reaches beyond
    # its own place: at 512 px the deepest map is 4 x 4.
    levels: int = Field(7, ge=2, le=8)
    dilations: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)] = (2, 4, 8, 16)  # official
    # What opens the transposed convolutions. own: gates with weights of their own, as everywhere else in the network.
    # activated: sigmoid of the activated features themselves, as the authors' program computes by mistake: its gates
    # are overwritten.
    up_gate: Literal["own", "activated"] = "own"
    # A further plane says where a color is given. The authors' network has none: black means both "no color" and black.
    color_given: bool = True
    # The noise plane. gaussian: standard normal, as in the paper; binary: 1 where such a number reaches 1 (about 16 %),
    # else 0, which is what the authors' demo makes of it by rounding.
    noise: Noise = "gaussian"
    discriminator: DiscriminatorConfig = DiscriminatorConfig()

    @property
    def planes(self) -> int:
        """How many planes the network reads: image, sketch, color, mask, noise, and where a color is given."""
        return 9 + int(self.color_given)

    @property
    def widths(self) -> tuple[int, ...]:
        """Features at 1/2, 1/4, ... of the size."""
        return tuple(self.width * min(2**level, 8) for level in range(self.levels))

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return Capabilities(
            trained=True,
            stochastic=True,
            planes=(DRAWING, COLOR),
            trained_px=512,
            smallest_px=8,
            multiple_px=2**self.levels,
            pixel_bytes=400 + 7 * self.width,  # measured 821 at width 64 and 605 at 32, from 512 to 1024 px
        )
