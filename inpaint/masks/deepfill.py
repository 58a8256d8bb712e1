"""DeepFillv2's training masks: a free-form brush, a shrinking box, and the union of both.

Source: arXiv 1806.03589 and its public code, whose constants belong to 256 x 256. Repaired here, because each changes
what a network learns:

- the image's size was read with its sides swapped: on a 256 x 512 image strokes gathered in the left half;
- the random flips returned a new image that was thrown away: every stroke ran from left to right;
- widths, box and shrinkage were fixed in pixels: here they are scaled by min(H, W) / 256;
- vertices were clipped to W and H, one pixel outside: here to W - 1 and H - 1;
- one mask served a whole batch: here every sample has its own.

At 256 x 256 the mean hole ratio is 0.15 (brush), 0.19 (box) and 0.31 (both).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from inpaint.masks.base import CountSpan, HoleMask, Mask, Span, scale_to
from inpaint.masks.strokes import paint_stroke, zigzag

NOMINAL_PX = 256


def paint_zigzags(
    mask: HoleMask,
    rng: np.random.Generator,
    *,
    strokes: tuple[int, int],
    vertices: tuple[int, int],
    width_px: tuple[float, float],
    scale: float,
) -> None:
    """Add free-form strokes to the hole in place, all flipped together left-right and top-bottom with probability 1/2.

    Args:
        mask: (H, W), changed.
        rng: Where the numbers come from.
        strokes: (fewest, most).
        vertices: Of a stroke, (fewest, most).
        width_px: Of a stroke before scaling, uniform; at least 1 afterwards.
        scale: What the width is multiplied by.
    """
    height, width = mask.shape
    thinnest, thickest = width_px[0] * scale, width_px[1] * scale
    count = int(rng.integers(strokes[0], strokes[1] + 1))
    flip_x, flip_y, *widths = rng.random(2 + count).tolist()
    for n in range(count):
        points = zigzag(rng, height, width, vertices)
        # Mirroring the points mirrors the stroke, and is much cheaper than mirroring the image.
        if flip_x < 0.5:
            points = [(width - 1 - x, y) for x, y in points]
        if flip_y < 0.5:
            points = [(x, height - 1 - y) for x, y in points]
        paint_stroke(mask, points, max(1, int(thinnest + (thickest - thinnest) * widths[n])))


class Brush(Mask):
    """DeepFillv2's free-form brush: strokes of changing direction with round joints."""

    kind: Literal["brush"] = "brush"
    strokes: CountSpan = (1, 3)
    vertices: CountSpan = (4, 11)
    width_px: Span = (12, 40)  # at 256

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        scale = scale_to(mask.shape[0], mask.shape[1], NOMINAL_PX)
        paint_zigzags(mask, rng, strokes=self.strokes, vertices=self.vertices, width_px=self.width_px, scale=scale)


class DeepFillBox(Mask):
    """DeepFillv2's box: 128 x 128 of 256 anywhere, then each side shrunk by 0 to 16 pixels at both ends alike."""

    kind: Literal["deepfill_box"] = "deepfill_box"
    side_px: int = Field(128, ge=1)  # at 256
    shrink_px: int = Field(32, ge=0)  # largest loss of a side, at 256; "max_delta" of the public code

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        height, width = mask.shape
        scale = scale_to(height, width, NOMINAL_PX)
        side = min(max(1, round(self.side_px * scale)), height, width)
        shrink = min(round(self.shrink_px * scale) // 2, (side - 1) // 2)
        u = rng.random(4).tolist()
        top = int((height - side) * u[0])  # the last position is excluded, as in the public code
        left = int((width - side) * u[1])
        rows, cols = int((shrink + 1) * u[2]), int((shrink + 1) * u[3])
        mask[top + rows : top + side - rows, left + cols : left + side - cols] = 1


class DeepFill(Mask):
    """DeepFillv2's training mask: brush OR box, drawn independently."""

    kind: Literal["deepfill"] = "deepfill"
    brush: Brush = Brush()
    box: DeepFillBox = DeepFillBox()

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        self.brush.paint(mask, rng)
        self.box.paint(mask, rng)
