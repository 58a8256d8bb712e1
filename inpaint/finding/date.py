"""The date that a camera burned into a corner of the photo: a row of small glowing figures, orange, red or yellow."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.finding.damage import Image
from inpaint.images.mask_rules import Hole
from inpaint.images.regions import Region, components

BAND = 0.22
"""How far from an edge of the photo a date lies, of that side."""
LEAST_FIGURES = 4
LOWEST, HIGHEST = 0.012, 0.09
"""Height of a figure, of the shorter side."""
WIDEST = 8
"""Width of figures that their glow has joined, of their height."""
PITCH, GAP = 0.75, 0.2
"""From a figure to the next, and what of that is empty, of their height, as seven segments have it."""


def find_date(image: Image, sensitivity: float) -> Hole:
    """Return a date stamp: figures in a warm color, of one height, in a row along an edge of the photo.

    Args:
        image: (H, W, 3) RGB.
        sensitivity: 0 to 1: red must exceed blue by 110, 75 or 40 of 255 more than around a figure at 0, 0.5 and 1.

    Returns:
        (H, W), True = a figure, or its glow.
    """
    side = min(image.shape[:2])
    colors = image.astype(np.float32)
    warm = np.clip(colors[..., 0] - np.maximum(colors[..., 2], 0.55 * colors[..., 1]), 0, None)
    size = max(5, round(0.05 * side)) | 1
    stands_out = cv2.morphologyEx(warm, cv2.MORPH_TOPHAT, np.ones((size, size), np.uint8))
    strokes = stands_out > 110 - 70 * sensitivity
    found = _rows(strokes, side) | _rows(strokes.T, side).T  # photos that were held upright carry it along the side
    radius = max(2, round(0.006 * side))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    glow: Hole = cv2.dilate(found.astype(np.uint8), disc).astype(bool)
    return glow


def _rows(strokes: NDArray[np.bool_], side: int) -> Hole:
    """Return the strokes of figures in rows near the upper or lower end; side: the photo's shorter one."""
    height = strokes.shape[0]
    found = np.zeros(strokes.shape, bool)
    # Figures of seven segments have gaps.
    labels, boxes = components(strokes, gap_px=max(1, round(0.004 * side)))
    figures = [
        (number, box)
        for number, box in enumerate(boxes, start=1)
        if LOWEST * side <= box.size[0] <= HIGHEST * side
        and box.size[1] <= WIDEST * box.size[0]
        and (box.bottom <= BAND * height or box.top >= (1 - BAND) * height)
    ]
    for _, first in figures:
        row = [(number, box) for number, box in figures if _alike(first, box)]
        if _follow_each_other([box for _, box in row]):
            found |= strokes & np.isin(labels, [number for number, _ in row])
    return found


def _alike(one: Region, other: Region) -> bool:
    """Return whether two boxes are of one height and level."""
    height = one.size[0]
    return abs(one.top - other.top) <= 0.35 * height and abs(one.bottom - other.bottom) <= 0.35 * height


def _follow_each_other(boxes: list[Region]) -> bool:
    """Return whether enough figures follow each other closely, as those of a date do and scattered spots do not."""
    boxes = sorted(boxes, key=lambda box: box.left)
    height, longest, length = boxes[0].size[0], 0, 0
    for before, box in zip([None, *boxes], boxes, strict=False):
        near = before is not None and box.left - before.right <= 2.5 * height
        figures = max(1, round((box.size[1] / height + GAP) / PITCH))  # glow joins neighbors
        length = length + figures if near else figures
        longest = max(longest, length)
    return longest >= LEAST_FIGURES
