"""Architecture of GLCIC. The defaults are the paper's; public programs differ in the fields named here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from inpaint.errors import ConfigError
from inpaint.options import ModelConfig, Options
from inpaint.types import Capabilities

Side: TypeAlias = Annotated[int, Field(ge=1)] | Literal["auto"]
USUAL_PX = 256  # side of the paper's crops

Order: TypeAlias = Literal["norm_relu", "relu_norm"]
"""What follows a convolution: batch norm, then ReLU, as mmagic reads the paper; or the other way round, as otenim."""


class DiscriminatorConfig(Options):
    """The context discriminator: one branch for the whole image, one for a window of it, one number from both.

    Each branch is 5 x 5 convolutions of stride 2 and a fully connected layer, so the sides of both are fixed.
    """

    width: int = Field(64, gt=0)  # outputs of the first layers; paper 64 (then 128, 256, 512, 512, ...)
    features: int = Field(1024, gt=0)  # numbers that each branch ends with; paper 1024
    global_px: Side = "auto"  # of the whole image; auto: that of the training's crops. Paper 256, otenim's faces 160
    local_px: Side = "auto"  # of the window; auto: half of global_px. Paper 128, otenim's faces 96
    global_convs: int = Field(6, ge=1)  # paper 6; otenim's faces 5
    local_convs: int = Field(5, ge=1)  # paper 5

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        whole, part = self.sides
        if part > whole:
            raise ValueError(f"local_px={part}: the window must fit into the whole image of {whole} px")
        return self

    @property
    def sides(self) -> tuple[int, int]:
        """Sides of the whole image and of the window; where no crop has decided them, those of the paper."""
        whole = USUAL_PX if self.global_px == "auto" else self.global_px
        return whole, max(whole // 2, 1) if self.local_px == "auto" else self.local_px


class Config(ModelConfig):
    """The completion network and, for training, its discriminator and when each of them learns."""

    SMALL: ClassVar = {
        "width": 4,
        "discriminator": {
            "width": 4,
            "features": 8,
            "global_px": 64,
            "local_px": 32,
            "global_convs": 4,
            "local_convs": 3,
        },
    }
    TRAINING: ClassVar[frozenset[str]] = frozenset({"completion_iterations", "discriminator_iterations"})
    CONCERNS: ClassVar[Mapping[str, frozenset[str]]] = {"discriminator": frozenset({"discriminator"})}
    LAST_PHASE: ClassVar = ("model.completion_iterations=0", "model.discriminator_iterations=0")

    width: int = Field(64, gt=0)  # outputs of the first layer; paper 64 (then 128, 256)
    # What follows a convolution. With relu_norm convolutions also have a bias, which a batch norm behind it would undo.
    order: Order = "norm_relu"
    # The color of the hole, and of what "centered" calls 0. The authors' and otenim's programs compute it from their
    # training photos. Any other is as good: a color adds its product with the first kernels to those of the mask.
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of ImageNet
    # What the network calls 0 and 1. centered: minus the mean (the authors' program); 01: as it is (otenim); pm1:
    # [-1, 1] in images and output (mmagic).
    value_range: Literal["centered", "01", "pm1"] = "centered"
    output: Literal["sigmoid", "linear"] = "sigmoid"  # of the last layer; paper and otenim sigmoid, mmagic linear
    completion_iterations: int = Field(90_000, ge=0)  # phase 1, the completion network alone; paper 90,000
    discriminator_iterations: int = Field(10_000, ge=0)  # phase 2, the discriminator alone; paper 10,000
    discriminator: DiscriminatorConfig = DiscriminatorConfig()

    def for_crop(self, side: int) -> Self:
        """Return the options with the discriminator's sides decided; raises ConfigError where they are others."""
        given = self.discriminator.global_px
        if given not in ("auto", side):
            raise ConfigError(
                f"model.discriminator.global_px={given}: the discriminator reads whole crops, so data.size={given}, "
                f"not {side}; for weights without one, model.discriminator.global_px=auto and local_px=auto begin anew"
            )
        sized = self.discriminator.model_copy(update={"global_px": side})
        sized = sized.model_copy(update={"local_px": sized.sides[1]})
        return self.model_copy(update={"discriminator": sized})

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return Capabilities(
            trained=True,
            refinable=True,
            trained_px=USUAL_PX if self.discriminator.global_px == "auto" else self.discriminator.global_px,
            multiple_px=4,
            pixel_bytes=130 + 7 * self.width,  # measured 551 to 575 at width 64, 352 at 32, from 768 to 1408 px
        )
