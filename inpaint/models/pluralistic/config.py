"""Architecture of Pluralistic. The defaults are the official program's, whose weights fit nothing else."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from inpaint.options import ModelConfig
from inpaint.types import Capabilities

MULTIPLE_PX = 32


class Config(ModelConfig):
    """Encoder and generator and, for training, two discriminators."""

    SMALL: ClassVar = {"width": 4, "latent": 8}
    TRAINING: ClassVar[frozenset[str]] = frozenset({"initialization", "train_paths"})
    RANKED_BY: ClassVar = "discriminator"

    # Features at half of the size; doubled twice on the way down, so that the widest maps have four times as many.
    width: int = Field(32, ge=4, multiple_of=4)
    latent: int = Field(128, gt=0)  # planes of the latent code, at 1/32 of the size
    # Initial weights. The paper's: orthogonal. The official program asks for it too, but does not reach its spectrally
    # normalized layers, which keep PyTorch's own start: `default`.
    initialization: Literal["orthogonal", "default"] = "orthogonal"
    # Training: with `one`, only the generative path, whose prior is then drawn to the fixed one directly and which is
    # compared with the truth in the hole as well. An ablation of the paper; the fills are less diverse.
    train_paths: Literal["one", "two"] = "two"

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return Capabilities(
            trained=True,
            stochastic=True,
            trained_px=256,
            smallest_px=8,
            multiple_px=MULTIPLE_PX,
            pixel_bytes=100 + 20 * self.width,  # measured 612 at width 32, from 384 to 640 px
        )
