"""Options of deep image blending; cheap to import."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from inpaint.blending.options import BlendOptions
from inpaint.options import Options, Place


class StageOptions(Options):
    """One optimization: what it weighs, and how long it takes.

    All images are on the scale of [0, 1], features are those of normalized images, and all terms are means, so that a
    weight keeps its meaning whatever the sizes of mask and target.

    Args:
        iterations: Of L-BFGS.
        gradient: Weight of the squared difference between the Laplacians of result and source in the mask.
        content: Weight of the squared difference of features from those of the object: of the source in the first
            stage, of the first stage's result in the second.
        style: Weight of the squared difference between Gram matrices in the mask and in the target.
        histogram: Weight of the squared difference between features and the same with the target's histograms.
        tv: Weight of the total variation.
    """

    iterations: int = Field(ge=0)
    gradient: float = Field(ge=0)
    content: float = Field(ge=0)
    style: float = Field(ge=0)
    histogram: float = Field(0.0, ge=0)
    tv: float = Field(0.0, ge=0)


class DeepOptions(BlendOptions):
    """Deep image blending.

    Args:
        exact: Compute as the authors' program does, its defects included: 1,000 evaluations in each of two stages from
            noise, on the whole image; of the other options only network weights and `iterations` are read.
        iterations: Of each stage, in place of those of the stages.
        network: Whose features are compared.
        weights: `public`, the path of a file, or `random` for tests and dry runs.
        content_layer, style_layers: Names of layers.
        style_of: Where the style is compared: in the `mask`, with the style of the whole target; or in the surroundings
            as a `frame`, with what the target is there, which the paper's formula amounts to.
        first: The first stage, which joins.
        refine: The second stage, which paints over the object in the target's manner; 0 iterations leave it out.
        work_px: Longest side of mask and surroundings at which is computed; larger ones are reduced, and the change is
            enlarged. None: never.
    """

    exact: bool = False
    iterations: int | None = Field(None, ge=1)
    network: Literal["vgg16", "vgg19", "vgg16_caffe", "vgg19_caffe"] = "vgg16"
    weights: Place = "public"
    content_layer: str = "relu2_2"
    style_layers: tuple[str, ...] = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    style_of: Literal["mask", "frame"] = "mask"
    first: StageOptions = StageOptions(iterations=50, gradient=1e4, content=1.0, style=3e4)
    refine: StageOptions = StageOptions(iterations=30, gradient=1e3, content=1.0, style=1e5)
    work_px: int | None = Field(512, ge=64)

    @model_validator(mode="after")
    def _computes_something(self) -> Self:
        if not self.style_layers:
            raise ValueError("style_layers: must name at least one layer")
        return self
