"""Options of the methods without learning, and what each fill can do; cheap to import."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from pydantic import Field

from inpaint.options import Options
from inpaint.types import Capabilities

TransferMethod: TypeAlias = Literal["reinhard", "covariance", "histogram", "distribution"]
"""What a color transfer makes equal, see `inpaint.classical.color_transfer`."""
RANGE_PX = 8
"""Around a hole: known pixels so near bound the colors of its fill (`ranges`)."""
STENCIL_PX = 2
"""Reach of the biharmonic operator."""
SEARCH_PX = 128
"""Around a hole, where `patch` looks for sources; more around larger holes."""


class MeanOptions(Options):
    """The mean color has no options."""

    capabilities: ClassVar = Capabilities(needs_known=True, thread_safe=True, smallest_px=1)


class MarchingOptions(Options):
    """Of OpenCV's two fills."""

    capabilities: ClassVar = Capabilities(needs_known=True, thread_safe=True, smallest_px=1, context_px=2 * RANGE_PX)
    radius: int = Field(3, ge=1, le=100)  # how far away, in pixels, known pixels count; more only blurs


class BiharmonicOptions(Options):
    """The biharmonic surface has no options."""

    capabilities: ClassVar = Capabilities(
        needs_known=True, thread_safe=True, smallest_px=1, context_px=2 * RANGE_PX + STENCIL_PX
    )


class PatchOptions(Options):
    """The patch fill has no options."""

    capabilities: ClassVar = Capabilities(
        stochastic=True,
        needs_known=True,
        thread_safe=True,
        smallest_px=1,
        context_px=SEARCH_PX,
        context_share=1.0,
        pixel_bytes=200,  # measured on a whole photo of 24 megapixels
    )
