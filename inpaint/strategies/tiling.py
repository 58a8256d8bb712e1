"""Painting a large hole in tiles that pass smoothly into each other, from its rim inwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inpaint.images.regions import Region
from inpaint.strategies.scaling import HoleArray, Pixels

CONTEXT_SHARE = 0.2  # of a tile's side, around what it paints
RIM_PX = 16  # around the hole, what is painted as well: seams measure there
OVERLAP_SHARE = 0.1  # of a tile's side, over which two tiles pass into each other


@dataclass(frozen=True)
class Tile:
    """One tile. window: what is read. painted: what is kept of it, by weights that fall off at its borders."""

    window: Region
    painted: Region
    weights: NDArray[np.float64]


def tiles_of(hole: HoleArray, side_px: int, *, overlap_px: int | None = None, multiple_px: int = 1) -> list[Tile]:
    """Return the tiles that cover a hole (h, w), row by row.

    Their weights are positive wherever they paint, and fall to both sides along a cosine over the overlap.

    Args:
        hole: Not empty.
        side_px: Of what a tile reads.
        overlap_px: Pixels that neighbors paint both; at most half of what one paints.
        multiple_px: Of which the sides of what is read are multiples, where the image is large enough.
    """
    around = Region.around(hole).grown(RIM_PX, hole.shape)
    context = int(CONTEXT_SHARE * side_px)
    painted = side_px - 2 * context
    overlap = min(overlap_px or max(int(OVERLAP_SHARE * side_px), 1), painted // 2)
    rows = _spans(around.top, around.bottom, painted, overlap)
    columns = _spans(around.left, around.right, painted, overlap)
    tiles = []
    for top, bottom in rows:
        for left, right in columns:
            region = Region(top, bottom, left, right)
            if hole[region.slices].any():
                weights = np.outer(_ramp(bottom - top, overlap), _ramp(right - left, overlap))
                window = region.grown(context, hole.shape).widened(hole.shape, least_px=0, multiple_px=multiple_px)
                tiles.append(Tile(window, region, weights))
    return tiles


class Canvas:
    """A part of a photo on which tiles are painted one after the other.

    Args:
        image: (h, w, 3).
        unknown: (h, w), what is not known at first.
        hole: (h, w), what is painted here; in `unknown`.
    """

    def __init__(self, image: Pixels, unknown: HoleArray, hole: HoleArray) -> None:
        self.image, self.unknown, self.hole = image.copy(), unknown.copy(), hole
        self._sum = np.zeros(image.shape)
        self._weight = np.zeros(hole.shape)

    def order(self, tiles: list[Tile]) -> Iterator[Tile]:
        """Yield the tiles, each time the one whose window shows most that is known or painted; the first of equals.

        What a tile sees at its borders so depends on what surrounds the hole, not on where the numbering begins.
        """
        left = list(tiles)
        while left:
            unseen = [np.count_nonzero(self.unseen_by(tile)) / tile.window.area for tile in left]
            yield left.pop(int(np.argmin(unseen)))

    def unseen_by(self, tile: Tile) -> HoleArray:
        """Return what a tile has to paint in its window, (h, w): what no tile has painted, and all that it keeps."""
        inner = tile.painted.moved(-tile.window.top, -tile.window.left)
        unseen: HoleArray = self.unknown[tile.window.slices] & (self._weight[tile.window.slices] == 0)
        unseen[inner.slices] |= self.hole[tile.painted.slices]
        return unseen

    def paint(self, tile: Tile, raw: Pixels) -> None:
        """Lay what was painted in a window over what is there, by the tile's weights."""
        inner = tile.painted.moved(-tile.window.top, -tile.window.left)
        rows = tile.painted.slices
        self._sum[rows] += tile.weights[..., None] * raw[inner.slices]
        self._weight[rows] += tile.weights
        mixed = self._sum[rows] / self._weight[rows][..., None]
        self.image[rows] = np.where(self.hole[rows][..., None], mixed, self.image[rows])

    def raw(self) -> Pixels:
        """Return what was painted, outside the hole as well where tiles reached; elsewhere the image."""
        mixed = self._sum / np.maximum(self._weight, np.finfo(float).tiny)[..., None]
        raw: Pixels = np.where(self._weight[..., None] > 0, mixed, self.image).astype(self.image.dtype)
        return raw


def _spans(start: int, stop: int, length: int, overlap: int) -> list[tuple[int, int]]:
    """Return where equal spans of at most this length begin and end that cover a range and overlap by so much."""
    total = stop - start
    count = max(-(-(total - overlap) // (length - overlap)), 1)
    each = -(-(total + (count - 1) * overlap) // count)
    firsts = [start + number * (each - overlap) for number in range(count)]
    return [(max(min(first, stop - each), start), min(max(first + each, start + 1), stop)) for first in firsts]


def _ramp(length: int, overlap: int) -> NDArray[np.float64]:
    """Return weights that rise along half a cosine over the overlap at both ends, never to 0."""
    distance = np.minimum(np.arange(length), np.arange(length)[::-1])
    return 0.5 - 0.5 * np.cos(np.pi * np.minimum((distance + 0.5) / overlap, 1.0))
