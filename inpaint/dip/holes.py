"""What a hole is like, and which part of the picture is worth working on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

HoleMask = NDArray[np.bool_]

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
    """share: of the picture. width_px: twice the largest distance to a known pixel. typical_px: four times the mean
    distance, which is the width of strokes however they cross. scattered: as after losing pixels at random, known ones
    lie all over the hole."""

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
        """How much of the picture around it a fill needs: twice the hole's width, and no less than a minimum."""
        if self.thin:
            return int(max(THIN_CONTEXT_PX, 2 * self.typical_px))
        return int(max(CONTEXT_PX, 2 * self.width_px))


@dataclass(frozen=True)
class Region:
    """A rectangle of the picture: rows top to bottom, columns left to right, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        """Pixels inside."""
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    def grown(self, around: int, within: tuple[int, int], *, least: int = 0) -> Region:
        """Return it with `around` more pixels on every side, or as many as make its sides `least` long.

        within: height and width of the picture, which it does not leave.
        """

        def wider(start: int, end: int, total: int) -> tuple[int, int]:
            more = max(around, -(-(least - (end - start)) // 2))
            return max(start - more, 0), min(end + more, total)

        return Region(*wider(self.top, self.bottom, within[0]), *wider(self.left, self.right, within[1]))

    def meets(self, other: Region) -> bool:
        """Return whether the two share a pixel."""
        return (
            self.top < other.bottom and other.top < self.bottom and self.left < other.right and other.left < self.right
        )

    def joined(self, other: Region) -> Region:
        """Return the smallest rectangle that holds both."""
        return Region(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )


def shape_of(hole: HoleMask) -> HoleShape:
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


def regions_of(hole: HoleMask, *, around: int) -> list[Region]:
    """Return rectangles that hold every hole with `around` pixels of context; they do not overlap.

    A hole in the open gets more context where its rectangle would be smaller than 64 pixels. Where little would be
    saved, one rectangle holds all.
    """
    height, width = hole.shape
    whole = Region(0, height, 0, width)
    count, _, stats, _ = cv2.connectedComponentsWithStats(
        cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=1), connectivity=8
    )
    if count - 1 > 4096:
        return [whole]  # pixels everywhere
    found = _merged([Region(y, y + h, x, x + w).grown(around, hole.shape) for x, y, w, h, _ in stats[1:].tolist()])
    found = _merged([region.grown(0, hole.shape, least=LEAST_SIDE_PX) for region in found])
    if len(found) > MOST_REGIONS:
        joined = found[0]
        for region in found[1:]:
            joined = joined.joined(region)
        found = [joined]
    return found if sum(region.area for region in found) <= 0.8 * whole.area else [whole]


def _merged(regions: list[Region]) -> list[Region]:
    """Join rectangles that meet until none do."""
    separate: list[Region] = []
    for region in regions:
        while True:
            met = next((other for other in separate if other.meets(region)), None)
            if met is None:
                break
            separate.remove(met)
            region = region.joined(met)
        separate.append(region)
    return sorted(separate, key=lambda region: (region.top, region.left))


def hold_out_blocks(hole: HoleMask, *, share: float, seed: int) -> HoleMask:
    """Return known pixels to keep from the loss: 3 x 3 blocks in a band around the hole, `share` of what is known.

    The band is where a fill is judged; blocks, because single pixels are guessed from their neighbors. At most a tenth
    of the band is taken.
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
    held: HoleMask = (cv2.dilate(centers, np.ones((3, 3), np.uint8)) > 0) & known
    return held


def noise_level(gray: NDArray[np.float32], known: HoleMask | None = None) -> float:
    """Estimate the deviation of white noise in a picture (H, W) in [0, 1] (Immerkaer 1996), on known pixels only."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(gray, -1, kernel, borderType=cv2.BORDER_REFLECT))
    if known is not None:
        inner = cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        response = response[inner] if inner.any() else response
    return float(np.sqrt(np.pi / 2) / 6 * response.mean())
