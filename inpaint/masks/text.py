"""Text as a hole: words and letters, as in captions, dates and watermarks."""

from __future__ import annotations

import string
from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from inpaint.masks.base import CountSpan, HoleMask, Mask, ShareSpan, blank

LETTERS = string.ascii_letters + string.digits
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)
CAP_HEIGHT_PX = 22  # of OpenCV's fonts at scale 1


class Text(Mask):
    """Lines of random letters and digits, all turned by one random angle.

    Args:
        lines: How many.
        height: Capital height as a share of the shorter side.
        weight: Stroke width as a share of the capital height; strokes are at least one pixel wide.
        rotate_deg: Largest turn to either side.
    """

    kind: Literal["text"] = "text"
    lines: CountSpan = (2, 8)
    height: ShareSpan = (0.06, 0.2)
    weight: ShareSpan = (0.08, 0.25)
    rotate_deg: float = Field(30.0, ge=0, le=180)

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        canvas = blank(height, width)
        count = int(rng.integers(self.lines[0], self.lines[1] + 1))
        fonts = rng.integers(len(FONTS), size=count).tolist()
        lengths = rng.integers(2, 13, count).tolist()
        letters = "".join(LETTERS[i] for i in rng.integers(len(LETTERS), size=sum(lengths)).tolist())
        for (u, v, s, t), font, length in zip(rng.random((count, 4)).tolist(), fonts, lengths, strict=True):
            words, letters = _spaced(letters[:length]), letters[length:]
            capital = max(3.0, (self.height[0] + (self.height[1] - self.height[0]) * u) * min(height, width))
            thick = max(1, round((self.weight[0] + (self.weight[1] - self.weight[0]) * v) * capital))
            corner = (int((1.3 * s - 0.4) * width), int(t * (height + capital)))
            cv2.putText(canvas, words, corner, font, capital / CAP_HEIGHT_PX, 255, thick)
        if self.rotate_deg:
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), self.rotate_deg * (2 * rng.random() - 1), 1.0)
            canvas = np.asarray(cv2.warpAffine(canvas, turn, (width, height)), dtype=np.uint8)
        # OpenCV 5 smooths the edges of letters whatever is asked: 0 .. 255 becomes 0 and 1 here.
        return np.asarray(canvas >= 128, dtype=np.uint8)


def _spaced(letters: str) -> str:
    """Break a long run of letters into two words."""
    return letters if len(letters) < 7 else letters[:5] + " " + letters[5:]
