"""Options of painterly harmonization; cheap to import."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from inpaint.options import Options, Place

Level = Literal["auto", "weak", "medium", "strong"]


class PassOptions(Options):
    """How one pass goes on.

    Args:
        iterations: Of L-BFGS, at most.
    """

    iterations: int = Field(ge=0)


class FinishOptions(Options):
    """What follows the two passes (section 3.7 of the facts; the values are those of the authors' program).

    Args:
        colors: Smooth chroma along the edges of what was pasted, by a guided filter.
        radius, eps: Of that filter, in pixels and in squared units of [0, 1].
        patches: Make the object of patches of the painting, and put its fine detail back.
    """

    colors: bool = True
    radius: int = Field(2, ge=1)
    eps: float = Field(0.01, gt=0)
    patches: bool = True


class PainterlyOptions(Options):
    """Deep painterly harmonization.

    Args:
        exact: Compute as the authors' program does: no sum of losses is minimized, steps are not searched for, the
            second pass starts again from what was pasted, and colors are multiplied by 256.
        iterations: Of each pass, in place of those below. The program takes 1,000.
        style: How strongly the object is painted over: weak (1), medium (5), strong (10), a number, or `auto`, which
            goes by the texture of the painting. The authors' classifier of styles cannot be had.
        network: Whose features are compared; the program takes vgg19_caffe.
        weights: `public`, the path of a file, or `random` for tests and dry runs.
        first: The robust pass; 0 iterations leave it out.
        second: The detailed pass; 0 iterations leave it out.
        work: Longest side at which both passes compute; larger images are reduced, and only the finish has their full
            size. None: never.
        regions: Rectangles of the painting that give its style, each top, bottom, left and right in pixels; none: all
            of it.
        finish: See `FinishOptions`.
    """

    exact: bool = False
    iterations: int | None = Field(None, ge=1)
    style: Level | float = "auto"
    network: Literal["vgg16", "vgg19", "vgg16_caffe", "vgg19_caffe"] = "vgg19_caffe"
    weights: Place = "public"
    first: PassOptions = PassOptions(iterations=150)
    second: PassOptions = PassOptions(iterations=300)
    work: int | None = Field(700, ge=64)
    regions: tuple[tuple[int, int, int, int], ...] = ()
    finish: FinishOptions = FinishOptions()

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
