"""Architecture of DeepFillv2. The defaults are the official program's; public ports differ in the fields named here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias

from pydantic import Field

from inpaint.images.guidance import SKETCH
from inpaint.options import ModelConfig, Options
from inpaint.types import Capabilities

PlanesStage1: TypeAlias = Literal["image_ones_mask", "image_mask"]
PlanesStage2: TypeAlias = Literal["image", "image_mask", "image_ones_mask"]


class AttentionConfig(Options):
    """Contextual attention; `inpaint.nn.attention.ContextualAttention` explains the options."""

    fuse: bool = True  # official true, although converted official weights are often run without
    masked: Literal["zero", "inf"] = "zero"  # official zero; inf in mmagic
    norm_eps: Literal["clamp", "inside"] = "clamp"  # official clamp; inside in csqiangwen
    overlap: Literal[4, "count"] = 4  # official 4; count in mmagic
    sampling: Literal["floor", "aligned"] = "aligned"  # official nearest with aligned corners
    mask_sampling: Literal["floor8", "aligned8", "aligned4_2"] = "aligned4_2"  # official by 4, then by 2


class DiscriminatorConfig(Options):
    """SN-PatchGAN: six 5x5 convolutions of stride 2."""

    width: int = Field(64, gt=0)  # outputs of the first layer; official 64 (then 128, 256, 256, 256, 256)
    padding: Literal["same_tf", "zero"] = "same_tf"  # official SAME; symmetric zeros in nipponjo and mmagic


class Config(ModelConfig):
    """The generator and, for training, its discriminator."""

    SMALL: ClassVar = {"width": 8, "discriminator": {"width": 4}}
    CONCERNS: ClassVar[Mapping[str, frozenset[str]]] = {"discriminator": frozenset({"discriminator"})}
    PLANES: ClassVar = (SKETCH,)

    width: int = Field(48, ge=8, multiple_of=4)  # outputs of conv1; official 48, which are 24 features and 24 gates
    # Features of stage 2's decoder at 1/4, 1/2, full and full size; null: 2, 1, 1/2 and 1/4 times `width`, official
    # 96, 48, 24, 12. mmagic has 128, 64, 32, 16.
    decoder_widths: tuple[int, int, int, int] | None = None
    padding: Literal["zero", "same_tf", "reflect", "symmetric", "replicate"] = (
        "same_tf"  # official SAME; reflect in mmagic
    )
    value_range: Literal["pm1", "01"] = "pm1"  # range of image and output in the network: [-1, 1], official, or [0, 1]
    # Order in which the weights' origin read colors. For the record only: imported weights are permuted once, and the
    # network sees RGB. The official program and mmagic worked in BGR.
    channel_order: Literal["rgb", "bgr"] = "rgb"
    hole_fill: float = 0.0  # value of the hole in stage 1's input, in the network's range; official 0, csqiangwen 1
    stage1_input: PlanesStage1 = "image_ones_mask"  # official with a plane of ones, which shows where the border is
    stage2_input: PlanesStage2 = "image"  # official: the pasted coarse image alone
    gate_output: bool = False  # official: the last layers are plain; gated without activation in csqiangwen and mmagic
    pre_attention_activation: Literal["elu", "relu"] = "relu"  # official relu (pmconv6); elu in mmagic
    attention: AttentionConfig = AttentionConfig()
    # Initial weights. Official glorot, with which every gate halves the signal; csqiangwen's kaiming keeps more of it
    # and gets to plausible colors sooner.
    initialization: Literal["glorot", "kaiming"] = "glorot"
    sketch: bool = False  # one more input plane for lines drawn in the hole (guided)
    discriminator: DiscriminatorConfig = DiscriminatorConfig()

    def capabilities(self) -> Capabilities:
        """Return what the network can do; a guided one takes a sketch."""
        return Capabilities(
            trained=True,
            refinable=True,
            planes=(SKETCH,) if self.sketch else (),
            trained_px=256,
            smallest_px=8,
            multiple_px=8,
            pixel_bytes=950 + 4 * self.width,  # measured at width 16: 487 at 640 px, 695 at 1408, about 1,000 at 1,800
        )
