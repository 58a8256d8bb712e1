"""The partial-convolution U-Net. The defaults are the paper's; public programs differ in the fields named here."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from inpaint.options import ModelConfig
from inpaint.types import Capabilities

LEVELS_AT_256 = 7
MOST_LEVELS = 8


class Config(ModelConfig):
    """The U-Net, and in which of the two phases it is trained."""

    SMALL: ClassVar = {"width": 4}
    # Encoder layers, each of which halves the size. auto: as many as leave 2 x 2 places of the crop in the deepest, 8
    # at most: the paper's 8 at 512 px, the public programs' 7 at 256, 5 at 64. A training writes the number it took.
    levels: Annotated[int, Field(ge=2, le=MOST_LEVELS)] | Literal["auto"] = "auto"
    width: int = Field(64, gt=0)  # outputs of the first layer; official 64, then 128, 256, and 512 from the fourth on
    # What the network calls 0 and 1, in images and output: ImageNet's mean and deviation (naoto0804), [-1, 1] (mmagic),
    # or [0, 1].
    value_range: Literal["imagenet", "pm1", "01"] = "imagenet"
    # Order in which the weights' origin read colors. For the record only: imported weights are permuted once, and the
    # network sees RGB. mmagic worked in BGR.
    channel_order: Literal["rgb", "bgr"] = "rgb"
    first_bias: bool = True  # of the encoder's first layer, which has no batch norm: true in mmagic, false in naoto0804
    # 1: all of the network learns. 2: the encoder's batch norm is frozen, since the statistics of a batch count holes
    # as zeros; start it with `init=FOLDER` of phase 1, or set phase_2_from to go over within one run.
    phase: Literal[1, 2] = 1
    phase_2_from: Annotated[int, Field(ge=0)] | None = None  # first iteration of phase 2 in a run that begins in 1
    phase_2_rate: float = Field(0.25, gt=0)  # share of the optimizer's learning rate in phase 2; paper 5e-5 to 2e-4

    TRAINING: ClassVar[frozenset[str]] = frozenset({"phase", "phase_2_from", "phase_2_rate"})

    @property
    def depth(self) -> int:
        """Return the number of levels; where no crop has decided it, that of 256 px."""
        return LEVELS_AT_256 if self.levels == "auto" else self.levels

    def for_crop(self, side: int) -> Self:
        """Return the options with the levels that suit crops of this side."""
        if self.levels != "auto":
            return self
        return self.model_copy(update={"levels": min(max(side.bit_length() - 2, 2), MOST_LEVELS)})

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return Capabilities(
            trained=True,
            refinable=True,
            trained_px=min(4 * 2**self.depth // 2, 512),
            pixel_bytes=100 + 7 * self.width,  # measured 445 at width 64, from 896 to 1280 px
        )

    def in_phase_2(self, iteration: int) -> bool:
        """Tell whether an iteration, from 0, belongs to phase 2."""
        return self.phase == 2 or (self.phase_2_from is not None and iteration >= self.phase_2_from)
