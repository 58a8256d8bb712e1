"""Options of photographic style transfer; cheap to import."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from inpaint.classical.color_transfer import Method
from inpaint.options import Place
from inpaint.style.options import StyleOptions

Smoothing: TypeAlias = Literal["guided", "bilateral", "none"]

ITERATIONS, REFINE_ITERATIONS = 0, 100
EXACT_ITERATIONS = 1000  # of each stage of the authors' program
MASK_RADIUS_PX, MASK_EDGE = 20, 0.02


class FinishOptions(StyleOptions):
    """What both photographic methods do last.

    Args:
        smoothing: How local maps from the content's colors to the result's are smoothed: by the guided filter, by the
            authors' bilateral mean, which takes longer the larger the radius, or not at all: the result stays as it is.
        radius_px: Of the window of the smoothing where the longest side has 700 pixels, and in proportion elsewhere.
        edge: Difference of colors, in [0, 1], from which on the content has an edge.
        detail: Put the content's fine detail back, which mends bands of one color, and takes some of the style away.
    """

    smoothing: Smoothing = "guided"
    radius_px: int = Field(15, ge=1)
    edge: float = Field(0.01, gt=0)
    detail: bool = False


class PhotoOptions(FinishOptions):
    """Deep photo style transfer: style by regions first, then with a loss that keeps the image photographic, a finish.

    Args:
        exact: Compute as the authors' program does: its weights, no sum of losses is minimized, steps are not searched
            for, and colors are multiplied by 256.
        iterations: Of the first stage, which has no photorealism term; 0 leaves it out. None: 0, and 1,000 with
            `exact`.
        refine_iterations: Of the second stage, which has it; likewise. None: 100, and 1,000 with `exact`.
        start: What the first stage begins with: the content; noise; or colors, the content with its regions in the
            colors of their styles, as of `photo_fast`. None: colors; noise with `exact`.
        network: Whose features are compared; the program takes vgg19_caffe.
        weights: `public`, the path of a file, or `random` for tests and dry runs.
        content, style, photorealism: Weights of the losses. Ours are relative: of features, to an image without any; of
            the matting Laplacian, to a residual of one level of 255 in every window. Not read with `exact`.
        matting_eps: Of the matting Laplacian.
        work_px: Longest side at which both stages compute; larger images are reduced for them, and the local maps that
            they lead to are applied at full size. None: never.
    """

    exact: bool = False
    iterations: int | None = Field(None, ge=0)
    refine_iterations: int | None = Field(None, ge=0)
    start: Literal["colors", "content", "noise"] | None = None
    network: Literal["vgg16", "vgg19", "vgg16_caffe", "vgg19_caffe"] = "vgg19_caffe"
    weights: Place = "public"
    content: float = Field(1.0, ge=0)
    style: float = Field(20.0, gt=0)
    photorealism: float = Field(10.0, ge=0)
    matting_eps: float = Field(1e-7, gt=0)
    work_px: int | None = Field(700, ge=64)


class FastOptions(FinishOptions):
    """Photographic style transfer by color statistics alone.

    Args:
        method: What is made equal in every region; see `inpaint.classical.color_transfer`.
        mask_radius_px: Window of the guided filter that makes the borders of regions follow the content's edges.
        mask_edge: Of that filter, as `edge`.
    """

    method: Method = "covariance"
    mask_radius_px: int = Field(MASK_RADIUS_PX, ge=1)
    mask_edge: float = Field(MASK_EDGE, gt=0)
