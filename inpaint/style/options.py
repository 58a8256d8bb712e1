"""Options that methods of style transfer share, and those of methods that compute without torch; cheap to import."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from inpaint.classical.options import TransferMethod
from inpaint.options import Options

Colors: TypeAlias = Literal["style", "keep", "match", "luminance"]
Transform: TypeAlias = Literal["adain", "wct", "ot", "cholesky"]
"""What gives features the statistics of others; see `inpaint.style.transforms`."""
EncoderName: TypeAlias = Literal["vgg19_normalized", "vgg19", "vgg16"]
"""What features are taken of; see `inpaint.style.coders`."""


class StyleOptions(Options):
    """What any method may be told.

    Args:
        strength: From 0, the content as it is, to 1, the style in full: how far statistics go from the content's own to
            the style's.
        colors: Whose colors the result has: style; keep, the content's (its chrominance under the result's luma);
            match, the content's, which the style gets before (mean and covariance); luminance, the content's, since
            nothing but lightness is painted.
        scale: Longer side of a style as a share of the content's: larger for larger strokes. Styles are reduced to
            that, and never enlarged. None: as they come.
    """

    strength: float = Field(1.0, ge=0, le=1)
    colors: Colors = "style"
    scale: float | None = Field(1.0, gt=0, le=16)


class ColorsOptions(StyleOptions):
    """Of color transfer, the baseline.

    Args:
        method: What is made equal; see `inpaint.classical.color_transfer`.
    """

    colors: Literal["style"] = "style"
    method: TransferMethod = "covariance"
