"""Architecture of the image transformation network of Johnson et al. The defaults are those of PyTorch's example."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from inpaint.images.guidance import STYLE
from inpaint.models.style_config import LearnedStyleOptions, StyleModelConfig
from inpaint.types import Capabilities, Plane


class Config(StyleModelConfig):
    """The network, what it reads and what it answers with."""

    SMALL: ClassVar = {"width": 4, "blocks": 1}
    LEARNS: ClassVar = 1
    StyleOptions: ClassVar = LearnedStyleOptions

    width: int = Field(32, gt=0)  # channels at the full size; paper 32, the released ones with instance norm 16
    blocks: int = Field(5, gt=0)  # residual; paper 5
    norm: Literal["instance", "batch"] = "instance"  # paper batch; instance norm since Ulyanov et al. (1607.08022)
    # What enlarges: nearest neighbors and a convolution, or a transposed convolution (paper), which leaves a pattern of
    # squares.
    upsampling: Literal["nearest", "transposed"] = "nearest"
    # What lies beyond the border: every convolution mirrors it (example), or the image is mirrored once at the start
    # (paper, 40 px), which then reads zeros and loses as much in its blocks.
    border: Literal["reflect", "start"] = "reflect"
    # What a linear output is, and the input: RGB from 0 to 255 (example), from 0 to 1, or BGR from 0 to 255 less the
    # mean color of ImageNet (paper).
    values: Literal["bytes", "unit", "caffe"] = "bytes"
    # The last activation: none (example); tanh, times 150 around the middle of the range (paper); sigmoid, from 0 to 1.
    output: Literal["linear", "tanh", "sigmoid"] = "linear"

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return replace(super().capabilities(), trained_px=256)

    def training_planes(self) -> tuple[Plane, ...]:
        """Return the picture of the style."""
        return (STYLE,)
