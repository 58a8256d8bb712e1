"""What a person may choose for a restoration by Deep Image Prior; everything has an automatic value."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from inpaint.dip.presets import PRESETS
from inpaint.errors import unknown
from inpaint.options import Options


class DipOptions(Options):
    """preset: None chooses by task, size and hole. iterations, width, lr: None takes the preset's, or what fits the
    budget. exact: the published arithmetic and course, see `arithmetic.EXACT`; no crop, no coarse start, no early stop.

    stop: variance (EMV) and window (WMV) watch for the moment before noise is painted, hold-out watches known pixels
    kept from the loss; auto takes variance for denoising and hold-out for holes. langevin: average samples of Langevin
    dynamics, which also give a map of uncertainty. runs: average as many results from different seeds.
    """

    preset: str | None = None
    network: Literal["skip", "decoder"] = "skip"
    iterations: int | None = Field(None, ge=1)
    width: int | None = Field(None, ge=4, le=512)
    lr: float | None = Field(None, gt=0)
    factor: Literal[2, 4, 8] = 4  # of super-resolution
    lobes: Literal[2, 3] = 2  # of the Lanczos kernel that reduces the size
    exact: bool = False
    tv: float = Field(0.0, ge=0)
    langevin: bool = False
    runs: int = Field(1, ge=1, le=100)
    stop: Literal["auto", "variance", "window", "hold-out", "never"] = "auto"
    crop: bool = True
    coarse: bool | None = None  # None: for wide holes in large pictures

    @field_validator("preset")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in PRESETS:
            raise ValueError(unknown("preset", value, PRESETS))
        return value
