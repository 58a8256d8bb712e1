"""Options of painterly harmonization; cheap to import."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from inpaint.blending.options import BlendOptions
from inpaint.options import Place

Level = Literal["auto", "weak", "medium", "strong"]


ITERATIONS, REFINE_ITERATIONS = 150, 300
EXACT_ITERATIONS = 1000  # of each pass of the authors' program


class PainterlyOptions(BlendOptions):
    """Deep painterly harmonization: a robust first pass, a detailed second one, and a finish.

    Args:
        exact: Compute as the authors' program does: no sum of losses is minimized, steps are not searched for, the
            second pass starts again from what was pasted, and colors are multiplied by 256.
        iterations: Of the first pass; 0 leaves it out. None: 150, and 1,000 with `exact`.
        refine_iterations: Of the second pass; 0 leaves it out. None: 300, and 1,000 with `exact`.
        style: How strongly the object is painted over: weak (1), medium (5), strong (10), a number, or `auto`, which
            goes by the texture of the painting. The authors' classifier of styles cannot be had.
        network: Whose features are compared; the program takes vgg19_caffe.
        weights: `public`, the path of a file, or `random` for tests and dry runs.
        work_px: Longest side at which both passes compute; larger images are reduced, and only the finish has their
            full size. None: never.
        regions: Rectangles of the painting that give its style, each top, bottom, left and right in pixels; none: all
            of it.
        smooth_chroma: In the finish, let the object's chroma follow the edges of what was pasted, by a guided filter.
        chroma_radius, chroma_eps: Of that filter, in pixels and in squared units of [0, 1]; the program's.
        patches: In the finish, make the object of patches of the painting, and put its fine detail back.
    """

    exact: bool = False
    iterations: int | None = Field(None, ge=0)
    refine_iterations: int | None = Field(None, ge=0)
    style: Level | float = "auto"
    network: Literal["vgg16", "vgg19", "vgg16_caffe", "vgg19_caffe"] = "vgg19_caffe"
    weights: Place = "public"
    work_px: int | None = Field(700, ge=64)
    regions: tuple[tuple[int, int, int, int], ...] = ()
    smooth_chroma: bool = True
    chroma_radius: int = Field(2, ge=1)
    chroma_eps: float = Field(0.01, gt=0)
    patches: bool = True

    @field_validator("style")
    @classmethod
    def _in_range(cls, style: Level | float) -> Level | float:
        if not isinstance(style, str) and not 0 < style <= 100:
            raise ValueError(f"style={style:g}: must be above 0 and at most 100")
        return style

    @field_validator("regions")
    @classmethod
    def _not_empty(cls, regions: tuple[tuple[int, int, int, int], ...]) -> tuple[tuple[int, int, int, int], ...]:
        for top, bottom, left, right in regions:
            if not (0 <= top < bottom and 0 <= left < right):
                raise ValueError(f"regions: {top}, {bottom}, {left}, {right} has no pixels; top, bottom, left, right")
        return regions
