"""Architecture of PCT-Net with a convolutional network. The defaults are those of the authors' program ("CNN_pct")."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from inpaint.images.guidance import COMPOSITE
from inpaint.options import ModelConfig
from inpaint.types import Capabilities, Plane

Transform = Literal["linear", "symmetric", "polynomial"]


class Config(ModelConfig):
    """The network that predicts a color transform for every pixel, and what that transform is."""

    SMALL: ClassVar = {"width": 4, "working_px": 16}

    # What is predicted for each pixel. linear: a 3 x 3 matrix (9 numbers); symmetric: one that equals its transpose
    # (6); polynomial: 3 x 9, of the colors, their products and their squares (27). Program: linear.
    transform: Transform = "linear"
    offset: bool = True  # three more numbers, added to the matrix's result; program true for linear and symmetric
    clamp: bool = True  # the transform's result is kept in [0, 1] before it is mixed with the composite; program true
    # Side of the square to which composite and mask are resized, proportions or not, before the network reads them;
    # program 256. What it predicts is enlarged, and applied at the image's own size.
    working_px: int = Field(256, ge=8)
    width: int = Field(32, gt=0)  # features at the working size; program 32, twice as many behind each halving
    widest: int = Field(512, gt=0)  # most features; program 512
    depth: int = Field(4, ge=2)  # sizes of features, each half of the one before; program 4
    norm_from: int = Field(2, ge=0)  # the first of them with batch norm on the way down; on the way up all have it
    attention_from: int = Field(2, ge=0)  # the first of the `depth - 1` doublings with separate attention; program 2
    attention_ratio: float = Field(0.5, gt=0)  # features inside such an attention, of those it reads; program 0.5

    @model_validator(mode="after")
    def _halves(self) -> Self:
        multiple = 2 ** (self.depth - 1)
        if self.working_px % multiple:
            raise ValueError(f"working_px={self.working_px} must be a multiple of {multiple} for depth={self.depth}")
        return self

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        # Measured beside the working size: 78 at 3 megapixels, 73 at 12.
        return Capabilities(trained=True, recolors=True, trained_px=self.working_px, pixel_bytes=80)

    def training_planes(self) -> tuple[Plane, ...]:
        """Return the composite, which the network reads; `image` is what it should become."""
        return (COMPOSITE,)
