"""Text as a hole: words and letters, as in captions, dates and watermarks."""

from __future__ import annotations

import string
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import Field, field_validator

from inpaint.errors import InputError
from inpaint.images.lettering import (
    EMBEDDED,
    STROKES,
    Lettering,
    Line,
    faces,
    outlined,
    shadowed,
    written,
)
from inpaint.masks.base import TRIES, CountSpan, HoleMask, Mask, Share, ShareSpan, with_both

LETTERS = string.ascii_letters + string.digits
OUTLINE = (0.04, 0.14)  # of the capital height: how far an outline reaches
SHADOW_SHIFT, SHADOW_BLUR = (0.05, 0.16), (0.0, 0.08)  # likewise


class Text(Mask):
    """Lines of random letters and digits, all turned by one random angle.

    Args:
        lines: How many.
        height: Capital height as a share of the shorter side.
        weight: Stroke width of OpenCV's letters as a share of the capital height; strokes are at least one pixel wide.
        rotate_deg: Largest turn to either side.
        fonts: One or several, drawn for every line: "strokes", OpenCV's four; "embedded", the one inside of Pillow; or
            a folder of .ttf, .otf and .ttc files, each a font.
        outline: Share of the masks whose letters have an outline.
        shadow: Share of the masks whose letters throw a shadow.
        turned: Share of the masks that are turned at all.
        covered: Share of a pixel from which on it belongs to the hole: 0.5 for letters, near 0 for all that text
            touches.
    """

    kind: Literal["text"] = "text"
    lines: CountSpan = (2, 8)
    height: ShareSpan = (0.06, 0.2)
    weight: ShareSpan = (0.08, 0.25)
    rotate_deg: float = Field(30.0, ge=0, le=180)
    fonts: tuple[str, ...] = Field((STROKES,), min_length=1)
    outline: Share = 0.0
    shadow: Share = 0.0
    turned: Share = 1.0
    covered: float = Field(0.5, gt=0, lt=1)

    @field_validator("fonts", mode="before")
    @classmethod
    def _one_font(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("fonts")
    @classmethod
    def _there(cls, fonts: tuple[str, ...]) -> tuple[str, ...]:
        try:
            faces(fonts)
        except InputError as error:
            raise ValueError(str(error)) from None
        return fonts

    def files(self) -> tuple[str, ...]:
        """Return the fonts that lie in files."""
        return tuple(face for face in faces(self.fonts) if isinstance(face, str) and face)

    def draw_lettered(self, rng: np.random.Generator, height: int, width: int) -> tuple[HoleMask, Lettering | None]:
        """See `Mask`."""
        for _ in range(TRIES):
            lettering = self._lettering(rng, height, width)
            mask = self._hole(lettering)
            if 0 < cv2.countNonZero(mask) < mask.size:
                return mask, lettering
        return with_both(mask, rng), None

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        return self._hole(self._lettering(rng, height, width))

    def _hole(self, lettering: Lettering) -> HoleMask:
        # OpenCV 5 smooths the edges of letters whatever is asked: 0 .. 255 becomes 0 and 1 here.
        return np.asarray(lettering.whole >= max(1, round(self.covered * 256)), dtype=np.uint8)

    def _lettering(self, rng: np.random.Generator, height: int, width: int) -> Lettering:
        lines = self._lines(rng, height, width)
        letters = written(lines, height, width)
        if self.rotate_deg and (self.turned == 1 or rng.random() < self.turned):
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), self.rotate_deg * (2 * rng.random() - 1), 1.0)
            letters = np.asarray(cv2.warpAffine(letters, turn, (width, height)), dtype=np.uint8)
        capital = float(np.median([line.capital_px for line in lines])) if lines else 0.0
        outline, shadow = letters, None
        if self.outline and rng.random() < self.outline:
            outline = outlined(letters, max(1, round(rng.uniform(*OUTLINE) * capital)))
        if self.shadow and rng.random() < self.shadow:
            away = [max(1, round(rng.uniform(*SHADOW_SHIFT) * capital)) * int(rng.choice((-1, 1))) for _ in range(2)]
            shadow = shadowed(outline, (away[0], away[1]), rng.uniform(*SHADOW_BLUR) * capital)
        return Lettering(letters, outline, shadow)

    def _lines(self, rng: np.random.Generator, height: int, width: int) -> list[Line]:
        known = faces(self.fonts)
        count = int(rng.integers(self.lines[0], self.lines[1] + 1))
        chosen = rng.integers(len(known), size=count).tolist()
        lengths = rng.integers(2, 13, count).tolist()
        letters = "".join(LETTERS[i] for i in rng.integers(len(LETTERS), size=sum(lengths)).tolist())
        lines = []
        for (u, v, s, t), number, length in zip(rng.random((count, 4)).tolist(), chosen, lengths, strict=True):
            words, letters = _spaced(letters[:length]), letters[length:]
            capital = max(3.0, (self.height[0] + (self.height[1] - self.height[0]) * u) * min(height, width))
            thick = max(1, round((self.weight[0] + (self.weight[1] - self.weight[0]) * v) * capital))
            corner = (int((1.3 * s - 0.4) * width), int(t * (height + capital)))
            lines.append(Line(words, corner, known[number], capital, thick))
        return lines


CAPTIONS = {
    "kind": "text",
    "lines": (1, 5),
    "fonts": (EMBEDDED, STROKES),
    "outline": 0.35,
    "shadow": 0.25,
    "turned": 0.4,
    "covered": 0.05,
}
"""Text as it is laid over photos: real letters, outlines and shadows, all that it touches is hole."""


def _spaced(letters: str) -> str:
    """Break a long run of letters into two words."""
    return letters if len(letters) < 7 else letters[:5] + " " + letters[5:]
