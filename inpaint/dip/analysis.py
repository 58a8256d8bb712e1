"""What an image and its hole are like, and which part of the image is worth working on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.images.mask_rules import Hole
from inpaint.images.regions import Region, merged

TEXT_PX = 16.0  # typical width; wider strokes are no text
BLOB_PX = 64.0  # wider holes want depth
SCATTERED_SHARE = 0.3
FEW_SHARE = 0.9
CONTEXT_PX = 64  # around a wide hole
THIN_CONTEXT_PX = 16  # around strokes; more only keeps the network busy with what is known
LEAST_SIDE_PX = 64  # of a rectangle to work on: five scales need some room
MOST_REGIONS = 6


@dataclass(frozen=True)
class HoleShape:
    """Measures of a hole.

    Args:
        share: Of the image.
        width_px: Twice the largest distance to a known pixel.
        typical_px: Four times the mean distance, which is the width of strokes however they cross.
        scattered: As after losing pixels at random: known ones lie all over the hole.
    """

    share: float
    width_px: float
    typical_px: float
    scattered: bool

    @property
    def thin(self) -> bool:
        """Whether the hole is made of strokes, as text and scratches are."""
        return self.typical_px <= TEXT_PX

    @property
    def context_px(self) -> int:
        """How much of the image around it a fill needs: twice the hole's width, and no less than a minimum."""
        if self.thin:
            return int(max(THIN_CONTEXT_PX, 2 * self.typical_px))
        return int(max(CONTEXT_PX, 2 * self.width_px))


def shape_of(hole: Hole) -> HoleShape:
    """Measure a hole (H, W) with at least one hole and one known pixel."""
    inside = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    share = float(hole.mean())
    mean = float(inside[hole].mean())
    # Known pixels dropped at random at density d lie 1 / (2 sqrt(d)) away in the mean.
    scattered = share >= SCATTERED_SHARE and mean <= 1.0 / (1.0 - share) ** 0.5
    return HoleShape(share=share, width_px=2 * float(inside.max()), typical_px=4 * mean, scattered=scattered)


def preset_for_hole(shape: HoleShape) -> str:
    """Return the preset for a hole: thin holes want width and skips, wide ones depth and no skips."""
    if shape.scattered:
        return "missing-most" if shape.share > FEW_SHARE else "missing-half"
    if shape.thin:
        return "text"
    return "vase" if shape.width_px <= BLOB_PX else "library"


def regions_of(hole: Hole, *, around_px: int) -> list[Region]:
    """Return rectangles that hold every hole with `around_px` of context; they do not overlap.

    A hole in the open gets more context where its rectangle would be smaller than 64 pixels. Where little would be
    saved, one rectangle holds all.
    """
    whole = Region.whole(hole.shape)
    count, _, stats, _ = cv2.connectedComponentsWithStats(
        cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=1), connectivity=8
    )
    if count - 1 > 4096:
        return [whole]  # pixels everywhere
    boxes = (Region(y, y + h, x, x + w) for x, y, w, h, _ in stats[1:].tolist())
    found = merged(box.grown(around_px, hole.shape) for box in boxes)
    found = merged(region.grown(0, hole.shape, least_px=LEAST_SIDE_PX) for region in found)
    if len(found) > MOST_REGIONS:
        found = [found[0].joined(*found[1:])]
    return found if sum(region.area for region in found) <= 0.8 * whole.area else [whole]


def hold_out_blocks(hole: Hole, *, share: float, seed: int) -> Hole:
    """Return known pixels to keep from the loss: 3 x 3 blocks in a band around the hole, `share` of what is known.

    The band is where a fill shows; blocks, because single pixels are guessed from their neighbors. At most a tenth of
    the band is taken, and none where one block would be more than a fifth of what is known.
    """
    known = ~hole
    outside = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    band = known & (outside <= 32)
    wanted = min(share * known.sum(), 0.1 * band.sum())
    rows, columns = np.nonzero(band)
    rng = np.random.default_rng(seed)
    picked = rng.permutation(len(rows))[: int(wanted / 9) + 1]
    centers = np.zeros(hole.shape, np.uint8)
    centers[rows[picked], columns[picked]] = 1
    held_out: Hole = (cv2.dilate(centers, np.ones((3, 3), np.uint8)) > 0) & known
    return held_out if 5 * held_out.sum() <= known.sum() else np.zeros_like(held_out)


def hold_out_pixels(shape: tuple[int, int], *, share: float, seed: int) -> Hole:
    """Return pixels (H, W) to keep from the loss of a noisy image: single ones, `share` of all, at least one."""
    draw = np.random.default_rng(seed).random(shape)
    kept: Hole = draw < max(share, np.nextafter(draw.min(), 1))
    return kept


def noise_level(gray: NDArray[np.float32]) -> float:
    """Estimate the deviation of white noise in an image (H, W) in [0, 1] (Immerkaer 1996)."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(gray, -1, kernel, borderType=cv2.BORDER_REFLECT))
    return float(np.sqrt(np.pi / 2) / 6 * response.mean())


def noise_deviation(image: NDArray[np.float32]) -> float:
    """Estimate the deviation of the noise of each channel of an image (H, W, C) in [0, 1].

    By the median of the response, which edges and texture raise less than the mean of `noise_level`.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(np.ascontiguousarray(image), -1, kernel, borderType=cv2.BORDER_REFLECT))
    return float(np.median(response)) / (0.6745 * 6)
