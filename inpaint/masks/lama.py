"""LaMa's masks: chains of thick lines or boxes, never both (arXiv 2109.07161; advimman/lama, configs/data_gen).

Kept as the public code draws them: a wrapper adds one to the largest number of chains, so "times 4 to 5" is 4 to 6; the
weights of lines and boxes are relative (1 : 0.3 is 76.9 % lines). Evaluation sets drop masks that cover more than half
of the image: `max_share`. The public procedure draws five variants and keeps one of those that pass; drawing until
one passes gives the same distribution, and never loses an image. After this filter thin, medium and thick masks cover
nearly the same share (0.26 to 0.29): they differ in the width of the strokes.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, Field

from inpaint.masks.base import TRIES, CountSpan, HoleMask, Mask, hole_ratio, scale_to
from inpaint.masks.strokes import paint_chains


class LamaLines(BaseModel, frozen=True, extra="forbid"):
    """The chains. Lengths are uniform on 10 .. max_length_px + 9, widths on 5 .. max_width_px + 4 (nominal pixels)."""

    times: CountSpan = (1, 5)
    max_width_px: int = Field(100, ge=1)
    max_length_px: int = Field(200, ge=1)
    angles: int = Field(4, ge=1)


class LamaBoxes(BaseModel, frozen=True, extra="forbid"):
    """The boxes. Sides are uniform on `side_px`, positions keep `margin_px` from the border (nominal pixels)."""

    times: CountSpan = (1, 4)
    margin_px: int = Field(10, ge=0)
    side_px: CountSpan = (30, 150)


class Lama(Mask):
    """One kind out of chains and boxes, drawn by weight. The defaults are LaMa's training masks (256 crops).

    Args:
        nominal_px: The size that the pixels of lines and boxes belong to.
        lines: The chains.
        boxes: The boxes; None: chains only.
        boxes_weight: How often boxes are drawn, relative to chains.
        max_share: Masks that cover more are drawn again (the least of 100 is taken if none passes).
    """

    kind: Literal["lama"] = "lama"
    nominal_px: int = Field(256, ge=1)
    lines: LamaLines = LamaLines()
    boxes: LamaBoxes | None = LamaBoxes()
    boxes_weight: float = Field(1.0, ge=0)  # the lines' weight is 1
    max_share: float = Field(1.0, gt=0, le=1)

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        least = super()._draw_once(rng, height, width)
        if self.max_share == 1:
            return least  # counting pixels takes a tenth of the time
        share = hole_ratio(least)
        for _ in range(TRIES):
            if share <= self.max_share:
                break
            mask = super()._draw_once(rng, height, width)
            if (covered := hole_ratio(mask)) < share:
                least, share = mask, covered
        return least

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        scale = scale_to(mask.shape[0], mask.shape[1], self.nominal_px)
        if self.boxes is not None and rng.random() * (1 + self.boxes_weight) >= 1:
            _paint_boxes(mask, rng, self.boxes, scale)
            return
        paint_chains(
            mask,
            rng,
            chains=(self.lines.times[0], self.lines.times[1] + 1),
            angles=self.lines.angles,
            length_px=(10, self.lines.max_length_px + 9),
            width_px=(5, self.lines.max_width_px + 4),
            scale=scale,
        )


def _paint_boxes(mask: HoleMask, rng: np.random.Generator, options: LamaBoxes, scale: float) -> None:
    height, width = mask.shape
    margin = min(round(options.margin_px * scale), (min(height, width) - 1) // 2)
    largest = max(1, min(round(options.side_px[1] * scale), height - 2 * margin, width - 2 * margin))
    smallest = min(max(1, round(options.side_px[0] * scale)), largest)
    count = int(rng.integers(options.times[0], options.times[1] + 1))
    sides = rng.integers(smallest, largest + 1, (count, 2)).tolist()
    for (rows, cols), (u, v) in zip(sides, rng.random((count, 2)).tolist(), strict=True):
        top = margin + int((height - 2 * margin - rows + 1) * u)
        left = margin + int((width - 2 * margin - cols + 1) * v)
        mask[top : top + rows, left : left + cols] = 1
