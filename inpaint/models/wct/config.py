"""Architecture of universal style transfer by whitening and coloring. The defaults are those of the paper."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator

from inpaint.models.style_config import StyleModelConfig
from inpaint.style.options import EncoderName, StyleOptions, Transform
from inpaint.types import Capabilities, Plane

Level = Annotated[int, Field(ge=1, le=5)]


class WctOptions(StyleOptions):
    """What a caller of `inpaint stylize` may choose.

    Args:
        strength: As for every method, in the features of each level: at 0 there is left of the content what the
            decoders can tell of its features. The authors' program takes 0.6.
        transform: What gives features the statistics of the style; see `inpaint.style.transforms`. `ot` keeps more of
            the content's shapes, at the same statistics.
        levels: In this order; null: all that the network has, from the coarsest on (paper). Without 5 more is left of
            the content.
        start: What is painted first: the content; or noise of its size, and a texture comes out.
        rounds: How often all levels are gone through; null: once, or three times from noise (paper).
    """

    transform: Transform = "wct"
    levels: tuple[Level, ...] | None = None
    start: Literal["content", "noise"] = "content"
    rounds: PositiveInt | None = None

    @field_validator("levels")
    @classmethod
    def _some(cls, levels: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if levels is not None and not levels:
            raise ValueError("name one level at least, or null for all")
        return levels


class Config(StyleModelConfig):
    """A fixed encoder, and a decoder for each of its levels, which are trained."""

    SMALL: ClassVar = {"encoder_width": 4, "encoder_weights": "random", "levels": 3}
    TRAINING: ClassVar = frozenset({"encoder_weights", "trained"})
    StyleOptions: ClassVar = WctOptions

    # The network whose features are given other statistics: VGG-19 with channels rescaled to a mean activation of 1
    # (paper), or one with torchvision's weights. Decoders go with the encoder that they were trained for alone.
    encoder: EncoderName = "vgg19_normalized"
    # Where a training takes the encoder's weights from, unless it starts from those of a run or import: public (fetched
    # once into torch hub's folder), the path of such a file, or random (for tests).
    encoder_weights: str = "public"
    levels: Level = 5  # decoders there are, from relu1_1 on; paper 5
    trained: tuple[Level, ...] | None = None  # those that are trained, one or several at a time; null: all
    encoder_width: int = Field(64, gt=0)  # channels of the encoder's first block; 64 for trained weights
    decoder_width: int | None = Field(None, gt=0)  # the same of decoders behind their first layer; null: as the encoder

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return replace(super().capabilities(), trained_px=256, multiple_px=2 ** (self.levels - 1))

    def training_planes(self) -> tuple[Plane, ...]:
        """Return none: decoders learn to paint what the encoder has read, of photos alone."""
        return ()

    @property
    def trained_levels(self) -> tuple[int, ...]:
        """The levels whose decoders are trained."""
        return tuple(range(1, self.levels + 1)) if self.trained is None else self.trained
