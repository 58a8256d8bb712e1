"""Options of Deep Image Prior as a fill, and what it can do; cheap to import."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from inpaint.options import Options
from inpaint.types import Capabilities


class FillOptions(Options):
    """What may be chosen for `load("dip")`; all else follows from size and hole.

    Args:
        budget: Time per image: "60s", "5m", seconds, or "none" for the preset's whole course; "auto" is a minute on a
            CPU and the whole course on an accelerator.
        preset: A published setting; null chooses by size and hole.
        iterations: At most; null: the preset's, or what the budget allows.
        width: Channels at most; null: the preset's, or what the budget allows.
        exact: The published arithmetic and course.
        tv: Weight of the total variation.
    """

    capabilities: ClassVar = Capabilities(stochastic=True, needs_known=True, smallest_px=8)
    budget: str | float = "auto"
    preset: str | None = None
    iterations: int | None = Field(None, ge=1)
    width: int | None = Field(None, ge=4, le=512)
    exact: bool = False
    tv: float = Field(0.0, ge=0)
