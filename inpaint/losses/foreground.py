"""Squared error of a harmonized image, divided by the area of what was pasted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from inpaint.losses.base import Record, RecordTerm, at_least_float32


class ForegroundL2(RecordTerm):
    """Mean over images of sum |a - b|^2 / (C max(area, least_px)): foreground-normalized MSE.

    Sofiiuk et al., "Foreground-aware Semantic Representations for Image Harmonization" (WACV 2021, section 3.3): a
    small object counts as much as a large one, but for objects of less than `least_px` pixels. The sum goes over the
    whole image: what changes outside of the mask counts, too.

    of: the harmonized image. target: the real one. least_px: in pixels of the training's crops.
    """

    kind: Literal["foreground_l2"] = "foreground_l2"
    of: str
    target: str = "image"
    least_px: float = Field(1000.0, gt=0)

    @property
    def entries(self) -> frozenset[str]:
        """The harmonized and the real image."""
        return frozenset({self.of, self.target})

    def __call__(self, record: Record) -> Tensor:
        """Return the mean over the batch."""
        difference = at_least_float32(record[self.of]) - record[self.target]
        area = record["mask"].to(difference.dtype).flatten(1).sum(dim=1).clamp_min(self.least_px)
        errors = difference.square().flatten(1).sum(dim=1) / (difference.shape[1] * area)
        return errors.mean()
