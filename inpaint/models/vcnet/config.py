"""Architecture of VCNet. Two public programs differ in it; the defaults are the paper's, or what is sound in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field

from inpaint.images.guidance import CONTAMINATED
from inpaint.options import ModelConfig, Options
from inpaint.types import Capabilities, Plane


class NormalizationConfig(Options):
    """Probabilistic context normalization (paper section 3.2), see `nn.context_norm`.

    balance: how much of a normalized feature is taken. `excited`: a share for each channel, by squeeze and excitation
    as in the paper; a number: that share for all, the authors' program has 0.5.
    """

    balance: Literal["excited"] | float = "excited"
    reduction: int = Field(8, gt=0)  # of squeeze and excitation; paper 8, xyfJASON 16
    # What means and deviations are taken of; the programs' own forms count places outside of a region, too.
    statistics: Literal["weighted", "authors", "xyfjason"] = "weighted"


class DiscriminatorConfig(Options):
    """The two critics: one of the whole image, one of the patches that the mask reaches.

    widths of both are numbers of outputs of 5 x 5 convolutions with stride 2, as multiples of `width`.
    """

    width: int = Field(64, gt=0)  # both programs 64
    whole: tuple[int, ...] = (1, 2, 4, 4)  # authors 1, 2, 4, 4; xyfJASON 1, 2, 2, 4, 8
    patch: tuple[int, ...] = (1, 2, 4, 8)  # authors 1, 2, 4, 8, then one plane; xyfJASON 1, 2, 2, 4, 8
    spectral: bool = False  # spectral norm; xyfJASON has it
    # What ends the critic of the whole image. pooled: the mean over places, for crops of any size. flat: weights for
    # every place, as in both programs, for crops of `size` alone.
    head: Literal["pooled", "flat"] = "pooled"
    size: tuple[int, int] | None = None  # height and width of the crops of a flat head; null: of the training's crops
    # plane: the patch critic ends with a convolution to one plane. features: the sum of all its features counts
    # (xyfJASON).
    patch_end: Literal["plane", "features"] = "plane"

    @property
    def flat_size(self) -> tuple[int, int] | None:
        """Return height and width of what a flat head reads; None for one that reads a mean."""
        if self.head == "pooled":
            return None
        height, width = self.size or (256, 256)
        halvings = len(self.whole)
        return -(-height // 2**halvings), -(-width // 2**halvings)


class Config(ModelConfig):
    """Mask network, generator and, for training, the critics."""

    SMALL: ClassVar = {"width": 4, "discriminator": {"width": 4}}
    TRAINING: ClassVar[frozenset[str]] = frozenset({"pretraining", "critic_steps", "composite", "detached"})
    CONCERNS: ClassVar[Mapping[str, frozenset[str]]] = {
        "discriminator": frozenset({"discriminator", "patch_discriminator"})
    }
    LAST_PHASE: ClassVar = ("model.pretraining=0",)

    width: int = Field(32, gt=0)  # features at full size; both programs 32 (then 64, 128)
    # deep: all four blocks of the encoder lead to the mask (xyfJASON; the paper's figure). shallow: the last dilated
    # block serves the generator alone, as in the authors' program, whose mask then sees less of the image.
    mask_branch: Literal["deep", "shallow"] = "deep"
    # changed: a 1 x 1 convolution where a block changes the shape, else the input itself. origin: one in every block of
    # the authors' program, but in two dilated ones of the generator, which have no way around at all.
    shortcuts: Literal["changed", "origin"] = "changed"
    # Where the mask network's features enter the generator: at a quarter of the size (xyfJASON), or enlarged at the end
    # (authors; with two more convolutions).
    bottleneck: Literal["quarter", "full"] = "quarter"
    probability: Literal["sigmoid", "clip"] = "sigmoid"  # from logits to the mask; the authors' program clips to 0..1
    output: Literal["tanh", "clip"] = "tanh"  # the authors' program clips to -1..1
    padding: Literal["zero", "same_tf"] = "zero"  # what strided convolutions see beyond the border; authors same_tf
    normalization: NormalizationConfig = NormalizationConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()

    # Iterations in which the generator gets the true mask and there are no critics; then it gets the found one, at a
    # tenth of the rate. The authors' scripts have 160,000 to 320,000.
    pretraining: int = Field(160_000, ge=0)
    critic_steps: int = Field(5, ge=1)  # from then on, for each step of the generator; authors 5
    # What the critics see around the painted pixels. found: what is painted as far as the mask was found, softly.
    # grown: the found mask with a ramp of 24 pixels, as in the authors' program, whose contamination reaches that far.
    composite: Literal["found", "grown"] = "found"
    # Once the mask is found, the generator's losses do not reach the mask network through its features (xyfJASON); they
    # still do through the mask.
    detached: bool = False

    def for_crop(self, side: int) -> Self:
        """Return the options with the size of a flat head that suits crops of this side."""
        if self.discriminator.head == "pooled" or self.discriminator.size is not None:
            return self
        return self.model_copy(update={"discriminator": self.discriminator.model_copy(update={"size": (side, side)})})

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        # Measured at width 32: 957 to 974 from 512 to 896 px, 2,030 with the bottleneck at full size; 491 at width 16.
        pixel_bytes = (30 if self.bottleneck == "quarter" else 63) * self.width + 15
        return Capabilities(trained=True, blind=True, trained_px=256, multiple_px=4, pixel_bytes=pixel_bytes)

    def training_planes(self) -> tuple[Plane, ...]:
        """Return the contaminated image, which the networks read; `image` is what they should paint."""
        return (CONTAMINATED,)
