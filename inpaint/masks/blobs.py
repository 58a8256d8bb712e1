"""Rounded shapes anywhere in the image, as large as the objects that are pasted into photos."""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from inpaint.masks.base import CountSpan, HoleMask, Mask, ShareSpan

CORNERS = 64  # of the polygon that stands for a shape
WAVES = 5  # of its border
FRACTION = 4  # binary digits behind the point of a corner's place


class Blobs(Mask):
    """Shapes with a smooth border that reach each other or not, and may leave the image.

    Args:
        count: How many.
        area: Of each, as a share of the image, drawn on a logarithmic scale.
        bumps: How much the radius goes up and down around the border, as a share of it; 0 is an ellipse.
        longest: How many times as long as wide a shape is at most.
    """

    kind: Literal["blobs"] = "blobs"
    count: CountSpan = (1, 2)
    area: ShareSpan = (0.02, 0.25)
    bumps: float = Field(0.35, ge=0, le=1)
    longest: float = Field(2.5, ge=1)

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        height, width = mask.shape
        for _ in range(int(rng.integers(self.count[0], self.count[1] + 1))):
            low, high = (math.log(max(share, 1e-6)) for share in self.area)
            share = math.exp(low + (high - low) * rng.random())
            corners = self._border(rng) * math.sqrt(share * height * width)  # (N, 2)
            middle = rng.random(2) * (width, height)
            points = np.rint((corners + middle) * 2**FRACTION).astype(np.int32)
            cv2.fillPoly(mask, [points], 1, lineType=cv2.LINE_8, shift=FRACTION)

    def _border(self, rng: np.random.Generator) -> np.ndarray:
        """Return the corners (N, 2) of a shape of area 1 around 0."""
        angle = np.linspace(0, 2 * math.pi, CORNERS, endpoint=False)
        wave = np.arange(1, WAVES + 1)
        height, phase = rng.standard_normal(WAVES) / wave, 2 * math.pi * rng.random(WAVES)
        radius = np.exp(self.bumps * (height * np.cos(wave * angle[:, None] + phase)).sum(axis=1))
        stretch, turn = math.sqrt(1 + (self.longest - 1) * rng.random()), 2 * math.pi * rng.random()
        x, y = stretch * radius * np.cos(angle), radius * np.sin(angle) / stretch
        area = 0.5 * abs(float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()))
        cosine, sine = math.cos(turn), math.sin(turn)
        return np.stack((cosine * x - sine * y, sine * x + cosine * y), axis=1) / math.sqrt(area)
