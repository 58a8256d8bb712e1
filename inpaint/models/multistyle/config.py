"""Architecture of the network of many styles. The defaults are those of the authors' program (magenta)."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from inpaint.images.guidance import STYLE, STYLE_INDEX
from inpaint.models.style_config import LearnedStyleOptions, StyleModelConfig
from inpaint.types import Capabilities, Plane


class Config(StyleModelConfig):
    """The network and what it reads. A style is 2 numbers for every channel of every convolution: 3,206 of them."""

    TRAINING: ClassVar = frozenset({"style_coefficients"})
    SMALL: ClassVar = {"width": 4, "blocks": 1}
    LEARNS: ClassVar = None
    StyleOptions: ClassVar = LearnedStyleOptions

    width: int = Field(32, gt=0)  # channels at the full size; program 32
    blocks: int = Field(5, gt=0)  # residual; program 5, a port 4
    bias: bool = False  # of convolutions; a port true
    affine: bool = False  # a scale and shift that all styles share comes before theirs; a port true
    values: Literal["unit", "imagenet"] = "unit"  # what is read: from 0 to 1, or normalized as ImageNet is (a port)
    # What the losses of each style count, in the order of `styles`; 1 where nothing is said.
    style_coefficients: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _of_styles(self) -> Self:
        if self.styles and len(self.style_coefficients) > len(self.styles):
            raise ValueError(f"style_coefficients are {len(self.style_coefficients)}, for {len(self.styles)} styles")
        return self

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return replace(super().capabilities(), trained_px=256)

    def training_planes(self) -> tuple[Plane, ...]:
        """Return the picture of a style, and its number."""
        return STYLE, replace(STYLE_INDEX, options={"names": self.styles})
