"""Colors that a user might give in the hole: a few flat regions, or strokes of a brush in their colors."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from inpaint import seeds
from inpaint.images.planes import Bytes, PlaneMaker, checked_range
from inpaint.system.extras import import_alone

LOOK_PX = 128  # longer side at which regions are found: their borders need not be exact, and it takes 15 ms
COMPACTNESS = 10.0  # of SLIC: how much nearness counts beside likeness; scikit-image's usual value
STEPS = 5  # of SLIC
TOLERANCE = 32  # a stroke ends where the flat color differs by more in some channel, of 255
BASE_PX = 512  # side of an image for which widths and lengths are given
TURN = 0.35  # radians, deviation of the change of direction from one step of a stroke to the next


class ColorStrokes(PlaneMaker):
    """Flat colors of the photo in the hole, (H, W, 4): red, green, blue, and 1 where a color is given.

    The photo is smoothed, cut into regions of alike pixels (SLIC), and every region gets its median color. Half of the
    samples have strokes in these colors instead of all of them. Validation has all, at the middle of the range of
    regions.

    Args:
        regions: Range of their number in the whole image.
        of: What a region's color is of its pixels.
        smooth_px: Odd width of the median filter that smooths the photo first; 1 is none.
        strokes: Share of samples that have strokes only.
        count: Range of the number of strokes.
        width_px: Range of a stroke's width, in an image of 512 px; so is its length.
        length_px: Range of a stroke's length; it ends earlier where the color changes.
        given: Share of samples that have colors at all.
    """

    purpose = seeds.COLOR
    regions: tuple[int, int] = (100, 400)
    of: Literal["median", "mean"] = "median"
    smooth_px: int = Field(3, ge=1, le=31)
    strokes: float = Field(0.5, ge=0, le=1)
    count: tuple[int, int] = (1, 12)
    width_px: tuple[float, float] = (4.0, 24.0)
    length_px: tuple[float, float] = (20.0, 150.0)
    given: float = Field(0.7, ge=0, le=1)

    @field_validator("regions", "count", "width_px", "length_px")
    @classmethod
    def _rising(cls, pair: tuple[float, float]) -> tuple[float, float]:
        if pair[0] <= 0:
            raise ValueError(f"must be two positive numbers, the smaller first, got {pair[0]:g} and {pair[1]:g}")
        return checked_range(pair)

    @field_validator("smooth_px")
    @classmethod
    def _odd(cls, width_px: int) -> int:
        if width_px % 2 == 0:
            raise ValueError(f"must be odd, got {width_px}")
        return width_px

    def make(
        self, image: Bytes, mask: Bytes, *, companion: Bytes | None, rng: np.random.Generator | None
    ) -> NDArray[np.float32]:
        """Return colors (H, W, 4), inside the hole only."""
        if rng is not None and rng.random() >= self.given:
            return np.zeros((*mask.shape, 4), np.float32)
        regions = sum(self.regions) // 2 if rng is None else int(rng.integers(*self.regions, endpoint=True))
        colors = flat_colors(image, regions, of=self.of, smooth_px=self.smooth_px)
        where = mask.copy()
        if rng is not None and rng.random() < self.strokes:
            colors, drawn = self._drawn(colors, mask, rng)
            where &= drawn
        return np.dstack([colors.astype(np.float32) / 255, where]) * where[..., None].astype(np.float32)

    def _drawn(self, colors: Bytes, mask: Bytes, rng: np.random.Generator) -> tuple[Bytes, Bytes]:
        """Return strokes of the flat colors (H, W, 3), and 1 where there are some (H, W)."""
        canvas, drawn = np.zeros_like(colors), np.zeros_like(mask)
        inside = np.flatnonzero(mask)
        scale = max(mask.shape) / BASE_PX
        for _ in range(int(rng.integers(*self.count, endpoint=True)) if inside.size else 0):
            start = np.unravel_index(inside[rng.integers(inside.size)], mask.shape)
            width_px = max(round(rng.uniform(*self.width_px) * scale), 1)
            points = walk(colors, mask, start, rng.uniform(*self.length_px) * scale, step_px=max(width_px, 2), rng=rng)
            color = tuple(int(channel) for channel in colors[start])
            line = points[:, None, ::-1].astype(np.int32)  # x, y
            cv2.polylines(canvas, [line], False, color, width_px)
            cv2.polylines(drawn, [line], False, 1, width_px)
        return canvas, drawn


def walk(
    colors: Bytes,
    mask: Bytes,
    start: tuple[np.intp, ...],
    length_px: float,
    *,
    step_px: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return a smooth path (N, 2) of rows and columns, N >= 1, that stays in the hole and on colors like the first.

    Args:
        colors: (H, W, 3).
        mask: (H, W), 1 = hole.
        start: Row and column where it begins, in the hole.
        length_px: At most.
        step_px: From point to point.
        rng: Gives direction and turns.
    """
    first, place = colors[start].astype(np.int64), np.array(start, np.float64)
    points, direction = [np.array(start)], rng.uniform(0, 2 * np.pi)
    for turn in rng.normal(0, TURN, max(int(length_px / step_px), 1)):
        direction += turn
        place = place + step_px * np.array([np.sin(direction), np.cos(direction)])
        row, column = np.rint(place).astype(np.int64)
        if not (0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and mask[row, column]):
            break
        if np.abs(colors[row, column] - first).max() > TOLERANCE:
            break
        points.append(np.array([row, column]))
    return np.array(points)


def flat_colors(image: Bytes, regions: int, *, of: Literal["median", "mean"] = "median", smooth_px: int = 3) -> Bytes:
    """Return the image (H, W, 3) in about so many regions of alike pixels, each in one color."""
    height, width = image.shape[:2]
    factor = min(LOOK_PX / max(height, width), 1.0)
    across = max(round(width * factor), 1), max(round(height * factor), 1)
    small = cv2.resize(image, across, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    if smooth_px > 1:
        small = cv2.medianBlur(small, smooth_px).astype(np.uint8, copy=False)
    labels = regions_of(small, regions)
    flat = _colors_of_regions(small, labels, of)[labels]
    return cv2.resize(flat, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8, copy=False)


def regions_of(image: Bytes, count: int) -> NDArray[np.int64]:
    """Return the region (H, W) of every pixel, from 0, of about so many."""
    segmentation = import_alone("skimage.segmentation", package="scikit-image", purpose="finding regions of color")
    labels: NDArray[np.int64] = segmentation.slic(
        image, n_segments=count, compactness=COMPACTNESS, max_num_iter=STEPS, start_label=0
    )
    return labels


def _colors_of_regions(image: Bytes, labels: NDArray[np.int64], of: Literal["median", "mean"]) -> Bytes:
    """Return the color (N, 3) of each region: its mean, or its median channel by channel (the lower of two)."""
    flat, counts = labels.ravel(), np.bincount(labels.ravel())
    colors = np.empty((len(counts), 3), np.uint8)
    for channel in range(3):
        values = image[..., channel].ravel()
        if of == "mean":
            colors[:, channel] = np.rint(np.bincount(flat, values) / np.maximum(counts, 1))
        else:
            ordered = np.sort(flat * 256 + values) & 255
            colors[:, channel] = ordered[np.minimum(np.cumsum(counts) - counts + (counts - 1) // 2, flat.size - 1)]
    return colors
