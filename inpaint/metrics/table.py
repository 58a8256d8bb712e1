"""The measures by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from inpaint.errors import UsageError, unknown
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Compared, ImageMeasure, Measure, SetMeasure
from inpaint.metrics.pixel import L1, PSNR, SSIM, HoleRatio

MEASURES: Mapping[str, Callable[[], Measure]] = {
    made().name: made
    for made in (
        *(
            partial(family, hole=hole, raw=raw)
            for raw in (False, True)
            for hole in (True, False)
            for family in (L1, PSNR, SSIM)
        ),
        HoleRatio,
    )
}
USUAL = ("l1_hole", "psnr_hole", "ssim_hole", "l1", "psnr", "ssim", "hole_ratio")
"""What is measured when nothing else is asked for."""


@dataclass(frozen=True)
class Measures:
    """What is measured: of every image, and of all together."""

    of_images: tuple[ImageMeasure, ...]
    of_sets: tuple[SetMeasure, ...] = ()


def measures(names: Sequence[str] = USUAL) -> Measures:
    """Return the measures of these names, in their order. Raises UsageError for a name that is none, or given twice."""
    for name in names:
        if name not in MEASURES:
            raise UsageError(unknown("measure", name, MEASURES))
        if names.count(name) > 1:
            raise UsageError(f"measure '{name}' is given twice")
    made = [MEASURES[name]() for name in names]
    return Measures(
        tuple(each for each in made if isinstance(each, ImageMeasure)),
        tuple(each for each in made if isinstance(each, SetMeasure)),
    )


def measured(compared: Compared, wanted: Sequence[ImageMeasure]) -> dict[str, Tensor]:
    """Return what each measure finds, (B,) by name; NaN where it does not apply (`ImageMeasure.applies`).

    Example:
        >>> import torch
        >>> image, mask = torch.zeros(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
        >>> compared = Compared(completed=image + 0.1, image=image, mask=mask)
        >>> round(measured(compared, measures(["psnr_hole"]).of_images)["psnr_hole"].item(), 3)
        20.0
    """
    nothing = torch.full((len(compared.image),), torch.nan, device=compared.image.device)
    return {
        measure.name: measure.values(compared) if measure.applies(compared) else wide(nothing) for measure in wanted
    }
