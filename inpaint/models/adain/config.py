"""Architecture of AdaIN. The defaults are those of the paper and of its PyTorch program."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from inpaint.images.guidance import STYLE
from inpaint.models.style_config import StyleModelConfig
from inpaint.style.options import EncoderName, StyleOptions, Transform
from inpaint.types import Capabilities, Plane


class AdainOptions(StyleOptions):
    """What a caller of `inpaint stylize` may choose.

    Args:
        strength: As for every method, in the network's features: at 0 there is left of the content what the decoder
            can tell of its features, which is not every detail.
        transform: What gives the content's features the statistics of the style; see `inpaint.style.transforms`. The
            decoder was trained with `adain`; the others fit it as well.
    """

    transform: Transform = "adain"


class Config(StyleModelConfig):
    """A fixed encoder, and the decoder that is trained."""

    SMALL: ClassVar = {"encoder_width": 4, "encoder_weights": "random", "level": 2}
    TRAINING: ClassVar = frozenset({"encoder_weights"})
    StyleOptions: ClassVar = AdainOptions

    # The network whose features are given other statistics: VGG-19 with channels rescaled to a mean activation of 1
    # (paper), or one with torchvision's weights. A decoder goes with the encoder that it was trained for alone.
    encoder: EncoderName = "vgg19_normalized"
    # Where a training takes the encoder's weights from, unless it starts from those of a run or import: public (fetched
    # once into torch hub's folder), the path of such a file, or random (for tests).
    encoder_weights: str = "public"
    level: int = Field(4, ge=1, le=5)  # L of the layer reluL_1 whose features are changed; paper 4
    encoder_width: int = Field(64, gt=0)  # channels of the encoder's first block; 64 for trained weights
    decoder_width: int | None = Field(
        None, gt=0
    )  # the same of the decoder behind its first layer; null: as the encoder

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return replace(super().capabilities(), trained_px=256, multiple_px=2 ** (self.level - 1))

    def training_planes(self) -> tuple[Plane, ...]:
        """Return the picture of a style for every sample, of which a random square is taken."""
        return (replace(STYLE, options={"shorter_px": 512, "crop": "random"}),)
