"""Text as a hole: its strokes, not its boxes, by separating two kinds of pixels inside each line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.finding.detector import Image, Line, find_lines, text_remains
from inpaint.images.mask_rules import Hole
from inpaint.images.regions import Region

COLORS = 8  # kinds of pixels that are told apart inside a line
MOST_SAMPLES = 4000
LEAST_PIXELS = 12
# Of the line: so little or so much are no strokes, and where so much of them is wide they are a surface.
LEAST_SHARE, MOST_SHARE, MOST_WIDE = 0.03, 0.6, 0.35

Lab = NDArray[np.float32]
"""(..., 3), CIELAB: lightness 0 to 100."""


def find_text(image: Image, sensitivity: float) -> Hole:
    """Return the strokes of all text, with outlines and shadows that belong to it.

    Lines come from the detector. Inside each, the color is looked for that is there and not around it, in thin strokes;
    where none is, and where text is still read after the strokes were painted over, the line is taken whole.

    Args:
        image: (H, W, 3) RGB.
        sensitivity: 0 to 1, see `inpaint.finding.table`.

    Returns:
        (H, W), True = text.
    """
    lines = find_lines(image, sensitivity)
    hole = np.zeros(image.shape[:2], bool)
    if not lines:
        return hole
    colors: Lab = np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    for line in lines:
        window = line.window(0.8 * line.height_px + 4, image.shape)
        if 0 not in window.size:
            hole[window.slices] |= _strokes(colors[window.slices], line, lines, window)
    without: Image = np.asarray(cv2.inpaint(image, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA), np.uint8)
    for line in lines:
        rest = text_remains(without, line, sensitivity)
        if rest is not None:
            hole[line.window(2 * line.height_px + 16, image.shape).slices] |= rest
    return hole


def _strokes(colors: Lab, line: Line, lines: Sequence[Line], window: Region) -> Hole:
    """Return the strokes of a line in its window (h, w); the whole line where they cannot be told."""
    inside = line.mask(window)
    others = np.logical_or.reduce([each.mask(window) for each in lines])
    around = _grown(inside, 0.7 * line.height_px + 2) & ~others
    if np.count_nonzero(around) < 50:
        around = ~inside
    centers = _main_colors(colors[inside])
    kinds = _nearest(colors, centers)  # (h, w)
    found = [_kind(colors, kinds == number, inside, around, line.height_px) for number in range(len(centers))]
    best = max(found, key=lambda kind: kind.score)
    if best.score <= 0:
        return inside
    strokes = inside & (_distance(colors, best.color) < _tolerance(colors, best, inside & best.where, line.height_px))
    wide = _opened(strokes, 0.2 * line.height_px + 1)
    share = np.count_nonzero(strokes) / np.count_nonzero(inside)
    if np.count_nonzero(wide) > MOST_WIDE * np.count_nonzero(strokes) or not LEAST_SHARE <= share <= MOST_SHARE:
        return inside
    strokes &= ~_grown(wide, 1)
    # Outlines, shadows and soft edges are colors that occur beside the strokes and hardly anywhere else.
    near = inside & _grown(strokes, max(2.0, 0.1 * line.height_px))
    whole = strokes.copy()
    for kind in found:
        mine = kind.where & inside & ~strokes
        count = np.count_nonzero(mine)
        if count and np.count_nonzero(mine & near) > 0.75 * count and kind.outside < 0.5 * count / inside.sum():
            whole |= mine & near
    return _grown(whole, 1 + int(0.035 * line.height_px))


@dataclass(frozen=True, eq=False)
class _Kind:
    """Pixels of one color. where: (h, w); outside: their share around the line; score: how much they are strokes."""

    where: Hole
    color: Lab
    spread: float
    outside: float
    score: float


def _kind(colors: Lab, where: Hole, inside: Hole, around: Hole, height_px: float) -> _Kind:
    """Return how much the pixels of a color are strokes: more inside than around, thin, of one color, no noise."""
    mine = where & inside
    count = np.count_nonzero(mine)
    outside = np.count_nonzero(where & around) / max(int(np.count_nonzero(around)), 1)
    solid = mine & cv2.erode(where.astype(np.uint8), np.ones((2, 2), np.uint8)).astype(bool)
    pixels = colors[solid] if np.count_nonzero(solid) >= LEAST_PIXELS else colors[mine]
    if count < LEAST_PIXELS:
        return _Kind(where, np.zeros(3, np.float32), 0.0, outside, 0.0)
    color: Lab = np.median(pixels, axis=0).astype(np.float32)
    spread = float(np.median(_distance(pixels, color)))
    thin = 1 - np.count_nonzero(_opened(where, max(1.0, 0.14 * height_px)) & inside) / count
    more = max(count / np.count_nonzero(inside) - outside, 0)
    score = more * thin * (0.2 + np.count_nonzero(solid) / count) / (6 + 1.5 * spread)
    return _Kind(where, color, spread, outside, float(score))


def _tolerance(colors: Lab, kind: _Kind, core: Hole, height_px: float) -> NDArray[np.float32]:
    """Return per pixel how far from the strokes' color is still theirs: not half of the way to what is behind them."""
    behind = (~_grown(core, max(2.0, 0.1 * height_px))).astype(np.float32)
    sigma = max(0.35 * height_px, 2.0)
    weight: NDArray[np.float32] = np.asarray(cv2.GaussianBlur(behind, (0, 0), sigma), np.float32)
    sums: Lab = np.asarray(cv2.GaussianBlur(colors * behind[..., None], (0, 0), sigma), np.float32)
    surface: Lab = (sums / np.maximum(weight, 1e-3)[..., None]).astype(np.float32)
    away: NDArray[np.float32] = np.clip(0.45 * _distance(surface, kind.color), 6, max(3 * kind.spread + 4, 22))
    return away


def _main_colors(pixels: Lab) -> Lab:
    """Return the main colors (K, 3) of pixels (N, 3) by k-means, begun at colors far from each other."""
    pixels = pixels[:: max(len(pixels) // MOST_SAMPLES, 1)]
    centers: list[Lab] = [np.median(pixels, axis=0).astype(np.float32)]
    away = _distance(pixels, centers[0])
    while len(centers) < min(COLORS, len(pixels)):
        centers.append(pixels[int(away.argmax())])
        away = np.minimum(away, _distance(pixels, centers[-1]))
    found = np.stack(centers).astype(np.float32)
    for _ in range(12):
        kinds = _nearest(pixels, found)
        counts = np.bincount(kinds, minlength=len(found))
        sums = np.stack([np.bincount(kinds, pixels[:, axis], len(found)) for axis in range(3)], axis=1)
        found = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], found).astype(np.float32)
    return found


def _nearest(colors: Lab, centers: Lab) -> NDArray[np.intp]:
    distances = np.stack([_distance(colors, center) for center in centers])
    nearest: NDArray[np.intp] = distances.argmin(axis=0)
    return nearest


def _distance(colors: Lab, color: Lab) -> NDArray[np.float32]:
    away: NDArray[np.float32] = np.sqrt(((colors - color) ** 2).sum(axis=-1))
    return away


def _disc(radius_px: float) -> NDArray[np.uint8]:
    side = 2 * int(radius_px) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _grown(where: Hole, radius_px: float) -> Hole:
    grown: Hole = cv2.dilate(where.astype(np.uint8), _disc(radius_px)).astype(bool)
    return grown


def _opened(where: Hole, radius_px: float) -> Hole:
    opened: Hole = cv2.morphologyEx(where.astype(np.uint8), cv2.MORPH_OPEN, _disc(radius_px)).astype(bool)
    return opened
