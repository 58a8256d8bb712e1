"""Edges of photos as if somebody had drawn them: thin lines, no crumbs, a little off, some of them missing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.system.extras import import_alone

Lines = NDArray[np.bool_]
"""(H, W), True = line."""

_GRID_PX = 32  # from one free displacement to the next
_COVERED = 0.3  # of a moved pixel, from which on it is a line: lines neither break nor double


def thinned(lines: Lines) -> Lines:
    """Return the middle of the lines, one pixel wide."""
    morphology = import_alone("skimage.morphology", package="scikit-image", purpose="thinning lines")
    thin: Lines = morphology.skeletonize(lines)
    return thin


def without_small(lines: Lines, least_px: int) -> Lines:
    """Return the connected lines that have so many pixels or more."""
    if least_px <= 1:
        return lines
    _, labels, facts, _ = cv2.connectedComponentsWithStats(lines.astype(np.uint8), connectivity=8)
    kept = facts[:, cv2.CC_STAT_AREA] >= least_px
    kept[0] = False
    large: Lines = kept[labels]
    return large


def moved(lines: Lines, farthest_px: float, rng: np.random.Generator) -> Lines:
    """Return the lines bent by a smooth random displacement of at most so many pixels along each axis."""
    height, width = lines.shape
    if farthest_px == 0:
        return lines
    grid = (-(-height // _GRID_PX) + 1, -(-width // _GRID_PX) + 1)
    away = rng.uniform(-farthest_px, farthest_px, (*grid, 2)).astype(np.float32)
    away = cv2.resize(away, (width, height), interpolation=cv2.INTER_CUBIC).clip(-farthest_px, farthest_px)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    bent = cv2.remap(lines.astype(np.float32), columns + away[..., 0], rows + away[..., 1], cv2.INTER_LINEAR)
    return bent > _COVERED


def strokes_of(lines: Lines) -> tuple[int, NDArray[np.int32]]:
    """Return how many strokes thin lines consist of, and the stroke (H, W) of every pixel, from 1; 0: none.

    Strokes end where lines meet; the places where they do belong to none.
    """
    beside = cv2.filter2D(lines.astype(np.uint8), -1, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT) - 1
    count, labels = cv2.connectedComponents((lines & (beside < 3)).astype(np.uint8), connectivity=8)
    return count - 1, labels.astype(np.int32, copy=False)


def with_some_dropped(lines: Lines, share: float, rng: np.random.Generator) -> Lines:
    """Return thin lines without a share of their strokes, rounded to the nearest number of them."""
    count, labels = strokes_of(lines)
    dropped = round(share * count)
    if dropped == 0:
        return lines
    kept = np.ones(count + 1, np.uint8)
    kept[0] = 0
    kept[1 + rng.permutation(count)[:dropped]] = 0
    left = kept[labels]
    # A place where lines meet stays where a line that leads to it does.
    led_to = cv2.dilate(left, np.ones((3, 3), np.uint8)) > 0
    whole: Lines = (left > 0) | (lines & (labels == 0) & led_to)
    return whole
