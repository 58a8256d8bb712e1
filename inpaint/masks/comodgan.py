"""The free-form masks of CoModGAN and MAT: boxes and brush strokes, many of each (arXiv 2103.10428, 2203.15270).

Both public programs share the code and differ in three counts. There 1 means known; here 1 is the hole. The brush is 12
to 48 pixels wide whatever the size, so the 256 and 512 versions of CoModGAN, though the same code, differ in coverage:
`nominal_px` says which one is meant, and other sizes are scaled from it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from inpaint.masks.base import TRIES, HoleMask, Mask, ShareSpan, Span, hole_ratio, scale_to
from inpaint.masks.deepfill import paint_zigzags


class CoModGan(Mask):
    """Fewer than `half_boxes` boxes of up to half a side, fewer than `full_boxes` of up to a side, fewer than `strokes`
    brush strokes, drawn again until the hole ratio lies strictly within `hole_range`.

    The three counts are multiplied by min(sum of hole_range, 1) as in the public code, which stops with an error or
    never ends where that leaves no stroke; here at least one stroke remains possible. If none of 100 masks is in the
    range, the nearest is taken. CoModGAN's buckets h0 .. h4 are (0, 0.2), (0.2, 0.4), ... (0.8, 1).
    """

    kind: Literal["comodgan"] = "comodgan"
    half_boxes: int = Field(10, ge=1)
    full_boxes: int = Field(5, ge=1)
    strokes: int = Field(20, ge=1)
    hole_range: ShareSpan = (0.0, 1.0)
    width_px: Span = (12, 48)
    nominal_px: int = Field(256, ge=1)

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        nearest = super()._draw_once(rng, height, width)
        for _ in range(TRIES - 1):
            if self._outside(nearest) < 0:
                break
            nearest = min(nearest, super()._draw_once(rng, height, width), key=self._outside)
        return nearest

    def _outside(self, mask: HoleMask) -> float:
        """Return how far the mask's hole ratio lies from the range; negative within it."""
        ratio = hole_ratio(mask)
        return max(self.hole_range[0] - ratio, ratio - self.hole_range[1])

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        height, width = mask.shape
        share = min(sum(self.hole_range), 1.0)
        _paint_boxes(mask, rng, max(1, int(self.half_boxes * share)), height // 2, width // 2)
        _paint_boxes(mask, rng, max(1, int(self.full_boxes * share)), height, width)
        # The public code flips the brush before it joins the boxes; so do we.
        strokes = (0, max(2, int(self.strokes * share)) - 1)
        scale = scale_to(height, width, self.nominal_px)
        paint_zigzags(mask, rng, strokes=strokes, vertices=(4, 17), width_px=self.width_px, scale=scale)


def _paint_boxes(mask: HoleMask, rng: np.random.Generator, limit: int, max_rows: int, max_cols: int) -> None:
    """Add fewer than `limit` boxes of fewer than max_rows x max_cols pixels, up to half of each outside the image."""
    height, width = mask.shape
    for u, v, s, t in rng.random((int(rng.integers(limit)), 4)).tolist():
        rows, cols = int(max_rows * u), int(max_cols * v)
        top = int((height - rows + 2 * (rows // 2)) * s) - rows // 2
        left = int((width - cols + 2 * (cols // 2)) * t) - cols // 2
        mask[max(top, 0) : max(top + rows, 0), max(left, 0) : max(left + cols, 0)] = 1
