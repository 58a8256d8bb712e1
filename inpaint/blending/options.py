"""Options of the methods that compute without torch; cheap to import."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from inpaint.options import Options


class BlendOptions(Options):
    """What any method may be told.

    Args:
        colors: By which transfer the source gets the target's colors before it is blended; see
            `inpaint.classical.color_transfer`.
        colors_of: Whose: ring, those of the target near the mask; whole, all of the target outside of it.
    """

    colors: Literal["none", "reinhard", "covariance", "histogram", "distribution"] = "none"
    colors_of: Literal["ring", "whole"] = "ring"


class PasteOptions(BlendOptions):
    """Pasting has no options of its own."""


class FeatherOptions(BlendOptions):
    """Of the rim in which the source becomes visible.

    Args:
        width: Of the rim in pixels, inside the mask.
    """

    width: int = Field(8, ge=1, le=1000)


class MultibandOptions(BlendOptions):
    """Of the bands of frequencies.

    Args:
        bands: How many are blended apart, beside the rest; null: as the size of the mask allows (Burt and Adelson let
            the rest be some four pixels wide).
    """

    bands: int | None = Field(None, ge=1, le=12)


class PoissonOptions(BlendOptions):
    """Of blending in the gradient domain (Perez et al. 2003).

    Args:
        mode: Whose differences between neighbors the result has: import, the source's; mixed, the stronger of both;
            average, their mean; monochrome, the source's luma's, which keeps the target's hue.
        boundary: Where the target is held: at the pixels around the mask (the paper's), or inside, at the mask's own
            outermost pixels, which then keep the target's colors.
        source_share: Of the source in average.
        screen: Weight of the distance from the source's own colors: above 0 the target's colors reach less deep.
        strength: How much of the change of colors is applied: 0 pastes, 1 is the paper's.
        border: mask, as it is; least, within the mask along the line where source and target differ most evenly (Jia et
            al., "Drag-and-Drop Pasting", 2006): for masks drawn loosely around an object.
    """

    mode: Literal["import", "mixed", "average", "monochrome"] = "import"
    boundary: Literal["outside", "inside"] = "outside"
    source_share: float = Field(0.5, ge=0, le=1)
    screen: float = Field(0.0, ge=0)
    strength: float = Field(1.0, ge=0, le=1)
    border: Literal["mask", "least"] = "mask"


class AutoOptions(BlendOptions):
    """The choice of a method has no options of its own: name the method that is to have some."""
