"""Options of deep image blending; cheap to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from inpaint.blending.options import BlendOptions
from inpaint.options import Place

ITERATIONS, REFINE_ITERATIONS = 50, 30
EXACT_ITERATIONS = 1000  # evaluations of each stage of the authors' program


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What one of the two optimizations weighs, and how long it takes; see `DeepOptions`."""

    iterations: int = 0
    gradient: float = 0.0
    content: float = 0.0
    style: float = 0.0
    histogram: float = 0.0
    tv: float = 0.0

    def weights(self) -> dict[str, float]:
        """Return the weights by the names of the terms."""
        return {name: vars(self)[name] for name in ("gradient", "content", "style", "histogram", "tv")}


class DeepOptions(BlendOptions):
    """Deep image blending: a first stage that joins, a second one that paints over in the target's manner.

    Images are on the scale of [0, 1], features are those of normalized images, and all terms are means, so that a
    weight keeps its meaning whatever the sizes of mask and target.

    Args:
        exact: Compute as the authors' program does, its defects included, on the whole image; of the other options only
            `exact_start`, `weights` and the iterations are read.
        exact_start: What `exact` begins with: `noise` as the authors' program, or the solution of Poisson's equation.
        iterations: Of the first stage; None: 50, and 1,000 with `exact`.
        refine_iterations: Of the second stage; 0 leaves it out. None: 30, and 1,000 with `exact`.
        gradient, refine_gradient: Weights in both stages of the squared difference between the Laplacians of result and
            source in the mask.
        style, refine_style: Weights of the squared difference between Gram matrices in the mask and in the target.
        content: Weight of the squared difference of features from those of the object: of the source in the first
            stage, of the first stage's result in the second.
        histogram: Weight of the squared difference between features and the same with the target's histograms.
        tv: Weight of the total variation.
        network: Whose features are compared.
        weights: `public`, the path of a file, or `random` for tests and dry runs.
        content_layer, style_layers: Names of layers.
        style_of: Where the style is compared: in the `mask`, with the style of the whole target; or in the surroundings
            as a `frame`, with what the target is there, which the paper's formula amounts to.
        work_px: Longest side of mask and surroundings at which is computed; larger ones are reduced, and the change is
            enlarged. None: never.
    """

    exact: bool = False
    exact_start: Literal["noise", "poisson"] = "noise"
    iterations: int | None = Field(None, ge=1)
    refine_iterations: int | None = Field(None, ge=0)
    gradient: float = Field(1e4, ge=0)
    refine_gradient: float = Field(1e3, ge=0)
    style: float = Field(3e4, ge=0)
    refine_style: float = Field(1e5, ge=0)
    content: float = Field(1.0, ge=0)
    histogram: float = Field(0.0, ge=0)
    tv: float = Field(0.0, ge=0)
    network: Literal["vgg16", "vgg19", "vgg16_caffe", "vgg19_caffe"] = "vgg16"
    weights: Place = "public"
    content_layer: str = "relu2_2"
    style_layers: tuple[str, ...] = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    style_of: Literal["mask", "frame"] = "mask"
    work_px: int | None = Field(512, ge=64)

    @model_validator(mode="after")
    def _computes_something(self) -> Self:
        if not self.style_layers:
            raise ValueError("style_layers: must name at least one layer")
        return self

    @property
    def stages(self) -> tuple[Stage, Stage]:
        """The two stages."""
        first, second = (EXACT_ITERATIONS, EXACT_ITERATIONS) if self.exact else (ITERATIONS, REFINE_ITERATIONS)
        return (
            Stage(
                iterations=self.iterations or first,
                gradient=self.gradient,
                style=self.style,
                content=self.content,
                histogram=self.histogram,
                tv=self.tv,
            ),
            Stage(
                iterations=second if self.refine_iterations is None else self.refine_iterations,
                gradient=self.refine_gradient,
                style=self.refine_style,
                content=self.content,
                histogram=self.histogram,
                tv=self.tv,
            ),
        )
