"""The strokes over which VCNet's program lets another photo show through (shepnerd/blindinpainting_vcnet).

Repaired: the program hands rows to OpenCV as columns, which on other images than squares cuts strokes off; lengths and
widths, which belong to 256 x 256 there, are scaled; one mask served a whole batch.
"""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from inpaint.masks.base import CountSpan, HoleMask, Mask, scale_to

NOMINAL_PX = 256


class VCNetStrokes(Mask):
    """Walks of straight lines that turn anywhere at every step; at 256 x 256 their mean hole ratio is 0.35.

    strokes: how many. steps, length_px, width_px: of each, whole numbers from the smaller to the larger one. Widths are
    made even.
    """

    kind: Literal["vcnet"] = "vcnet"
    strokes: int = Field(8, ge=1)  # "parts" of the public code
    steps: CountSpan = (0, 16)
    length_px: CountSpan = (0, 80)  # of a step, at 256
    width_px: CountSpan = (10, 20)  # at 256

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        for _ in range(self.strokes):
            self._paint_one(mask, rng)

    def _paint_one(self, mask: HoleMask, rng: np.random.Generator) -> None:
        height, width = mask.shape
        scale = scale_to(height, width, NOMINAL_PX)
        # All numbers of a stroke at once, in the program's order.
        steps, col, row = rng.integers((self.steps[0], 0, 0), (self.steps[1] + 1, width, height)).tolist()
        least, most = (0, self.length_px[0], self.width_px[0]), (361, self.length_px[1] + 1, self.width_px[1] + 1)
        thickness = 0
        for step, (degrees, length, across) in enumerate(rng.integers(least, most, (steps, 3)).tolist()):
            angle = degrees / 360 * 2 * math.pi
            angle = angle if step % 2 else 2 * math.pi - angle
            thickness = max(round(across * scale) // 2 * 2, 1)
            next_col = int(min(max(col + scale * length * math.cos(angle), 0), width - 1))
            next_row = int(min(max(row + scale * length * math.sin(angle), 0), height - 1))
            cv2.line(mask, (col, row), (next_col, next_row), 1, thickness)
            cv2.circle(mask, (col, row), thickness // 2, 1)
            col, row = next_col, next_row
        cv2.circle(mask, (col, row), thickness // 2, 1)
