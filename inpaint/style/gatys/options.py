"""Options of style transfer by optimization; cheap to import."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from inpaint.options import Place
from inpaint.style.gatys.presets import STYLE_LAYERS, WEIGHTS, Normalization
from inpaint.style.options import StyleOptions

Exact: TypeAlias = Literal["crowsonkb", "leongatys", "jcjohnson", "progamergov", "pytorch_tutorial"]
LayerWeights: TypeAlias = tuple[str, ...] | dict[str, float]
"""Names of layers, or names with factors of the weight."""

ITERATIONS, REFINE_ITERATIONS = {"lbfgs": 150, "adam": 500}, {"lbfgs": 50, "adam": 200}


class GatysOptions(StyleOptions):
    """Style transfer by optimization: the content's features, and the statistics of the styles' features.

    Weights are those of features of the size that Caffe's weights give, which papers and programs are about;
    torchvision's are multiplied to that size.

    Args:
        exact: Compute as a public program does, its defects included, at the content's size; then only
            `exact_normalize`, `pooling`, `weights`, `iterations`, `scale` and `colors` are read, and by crowsonkb
            `refine_iterations`, `min_px` and `work_px`.
        exact_normalize: An option of two programs under which gradients (jcjohnson, progamergov) or weights
            (progamergov) depend on themselves.
        normalization: How content and Gram matrices are normalized, and which weights go with that by default.
        content: Weight of the squared difference between features of content layers; None: the normalization's.
        gram: Weight of the squared difference between Gram matrices, in each style layer; None: the normalization's, or
            0 where another style loss has a weight.
        covariance: Weight of the Wasserstein distance between normal distributions of features, in each style layer.
        moments: Weight of the squared differences between means and standard deviations, in each style layer.
        histogram: Weight of the squared difference between features and the same with the style's histograms.
        tv: Weight of the total variation, on colors in [0, 1].
        erode: Whether a region, and what is marked of a style, are compared in each layer by those features alone that
            see nothing beyond; a region too small for that by all of its features.
        content_layers, style_layers, histogram_layers: Names of layers, or names with factors of the weights.
        network: Whose features are compared.
        weights: `public`, the path of a file, or `random` for tests and dry runs.
        pooling: Of the network; average and l2 come with the gains that keep features at their size.
        border: What lies around the image for the first convolution; zeros leave marks along the edge.
        precision: Of the network: bfloat16 is faster on processors that have it, and less exact.
        optimizer: lbfgs, or adam with an average of its iterates. At sizes where L-BFGS would remember too few steps in
            its memory, Adam takes its place.
        iterations: At the smallest size. None: 150 by L-BFGS, 500 by Adam.
        refine_iterations: At each of the larger sizes. None: 50 by L-BFGS, 200 by Adam.
        lr: Learning rate; None: 1 for L-BFGS, which searches along its lines, 0.02 for Adam.
        history: Steps that L-BFGS remembers, at most.
        average: Decay of the average of iterates; None: 0.99 for Adam, no average for L-BFGS.
        start: What the first size begins with: the content, the first style, or noise.
        min_px: Longest side of the smallest size; sizes double until the last.
        work_px: Longest side of the last size; larger contents are reduced, and the change is enlarged. None: never.
    """

    exact: Exact | None = None
    exact_normalize: Literal["gradients", "weights"] | None = None
    normalization: Normalization = "mean"
    content: float | None = Field(None, ge=0)
    gram: float | None = Field(None, ge=0)
    covariance: float = Field(0.0, ge=0)
    moments: float = Field(0.0, ge=0)
    histogram: float = Field(0.0, ge=0)
    tv: float = Field(1000.0, ge=0)
    erode: bool = False
    content_layers: LayerWeights = ("relu4_2",)
    style_layers: LayerWeights = STYLE_LAYERS
    histogram_layers: LayerWeights = ("relu1_1", "relu4_1")
    network: Literal["vgg16", "vgg19", "vgg16_caffe", "vgg19_caffe"] = "vgg19"
    weights: Place = "public"
    pooling: Literal["max", "average", "l2"] = "max"
    border: Literal["zeros", "replicate"] = "replicate"
    precision: Literal["float32", "bfloat16"] = "float32"
    optimizer: Literal["lbfgs", "adam"] = "lbfgs"
    iterations: int | None = Field(None, ge=1)
    refine_iterations: int | None = Field(None, ge=0)
    lr: float | None = Field(None, gt=0)
    history: int = Field(20, ge=1)
    average: float | None = Field(None, gt=0, lt=1)
    start: Literal["content", "style", "noise"] = "content"
    min_px: int = Field(128, ge=32)
    work_px: int | None = Field(512, ge=32)

    @model_validator(mode="after")
    def _computes_something(self) -> Self:
        if not self.content_layers or not self.style_layers:
            raise ValueError("content_layers and style_layers must name at least one layer each")
        for name in ("content_layers", "style_layers", "histogram_layers"):
            for layer, factor in self.factors(name).items():
                if factor < 0:
                    raise ValueError(f"{name}: {layer} has the factor {factor:g}; valid: 0 and above")
        if self.exact_normalize and self.exact not in _NORMALIZING.get(self.exact_normalize, ()):
            valid = ", ".join(f"exact={name}" for name in _NORMALIZING[self.exact_normalize])
            raise ValueError(f"exact_normalize={self.exact_normalize}: only with {valid}")
        return self

    def factors(self, name: str) -> dict[str, float]:
        """Return the factors of `content_layers`, `style_layers` or `histogram_layers`."""
        layers: LayerWeights = vars(self)[name]
        return dict(layers) if isinstance(layers, dict) else dict.fromkeys(layers, 1.0)

    @property
    def layers(self) -> list[str]:
        """All layers that are named."""
        named = ("content_layers", "style_layers", "histogram_layers")
        return list(dict.fromkeys(layer for name in named for layer in self.factors(name)))

    @property
    def content_weight(self) -> float:
        """Of the content."""
        return WEIGHTS[self.normalization].content if self.content is None else self.content

    def gram_weight(self, layer: str) -> float:
        """Return the weight of the Gram matrix of a layer."""
        if self.gram is not None:
            return self.gram
        others = self.covariance or self.moments
        return 0.0 if others else WEIGHTS[self.normalization].of_style(layer)

    def planned(self, sizes: int, optimizer: Literal["lbfgs", "adam"]) -> list[int]:
        """Return the iterations of each of so many sizes."""
        first = ITERATIONS[optimizer] if self.iterations is None else self.iterations
        others = REFINE_ITERATIONS[optimizer] if self.refine_iterations is None else self.refine_iterations
        return [first, *[others] * (sizes - 1)]


_NORMALIZING = {"gradients": ("jcjohnson", "progamergov"), "weights": ("progamergov",)}
