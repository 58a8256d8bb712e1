"""Damage of scanned photos, without learning: scratches as long thin ridges, dust as small specks.

Both are compared with what surrounds them: a pixel counts where it departs from its neighbors by several times as much
as pixels nearby usually do, so that texture raises the bar for itself.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.images.mask_rules import Hole

Image = NDArray[np.uint8]
"""(H, W, 3), RGB."""
Gray = NDArray[np.float32]

LONGEST_PX = 2048
"""Photos with a longer side are looked at in this size."""
DIRECTIONS = 24
FLOOR = 1.5  # of 255: what departs by less is the noise of smooth surfaces


def find_scratches(image: Image, sensitivity: float) -> Hole:
    """Return scratches: bright or dark lines, thin, straight where one looks closely, and long.

    For every direction the mean along a short line is compared with those beside it, at both sides, in two
    distances; a step of brightness is higher than one side only, and so is no ridge.

    Args:
        image: (H, W, 3) RGB.
        sensitivity: 0 to 1: a ridge must be 10, 7 or 4 times as high as its surroundings at 0, 0.5 and 1, and
            the scratch 0.28, 0.18 or 0.08 of the shorter side long.

    Returns:
        (H, W), True = scratch.
    """
    gray = _reduced(image)
    side = min(gray.shape)
    length, beside = max(11, side // 16), max(3.0, side / 110)
    high = 10 - 6 * sensitivity
    bright, dark = np.zeros_like(gray), np.zeros_like(gray)
    for number in range(DIRECTIONS):
        angle = np.pi * number / DIRECTIONS
        along = np.asarray(cv2.filter2D(gray, -1, _segment(length, angle)), np.float32)
        for away in (beside, 2 * beside):  # what is close to the middle of a wide scratch is scratch
            x, y = -away * np.sin(angle), away * np.cos(angle)
            one, other = _shifted(along, x, y), _shifted(along, -x, -y)
            np.maximum(bright, along - np.maximum(one, other), out=bright)
            np.maximum(dark, np.minimum(one, other) - along, out=dark)
    least_px = side * (0.28 - 0.2 * sensitivity)
    hole = np.zeros(gray.shape, bool)
    for ridge in (bright, dark):
        hole |= _long(_exceeding(ridge, high, radius_px=4 * length), least_px)
    return _enlarged(hole, image, grown_px=max(1, round(beside / 3)))


def find_dust(image: Image, sensitivity: float) -> Hole:
    """Return dust: bright or dark specks, at most a fortieth of the shorter side wide.

    A speck is brighter, or darker, than the whole ring around it; edges and corners of larger things are not.

    Args:
        image: (H, W, 3) RGB.
        sensitivity: 0 to 1: a speck must depart from its ring by 18, 12 or 6 times as much as usual nearby at 0, 0.5
            and 1.

    Returns:
        (H, W), True = dust.
    """
    gray = _reduced(image)
    side = min(gray.shape)
    widest = max(4, side // 40)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * widest + 1, 2 * widest + 1))
    ring = disc - cv2.erode(disc, np.ones((3, 3), np.uint8), borderValue=0)
    smooth = np.asarray(cv2.GaussianBlur(gray, (0, 0), 0.7), np.float32)
    bright, dark = smooth - cv2.dilate(smooth, ring), cv2.erode(smooth, ring) - smooth
    specks = np.zeros(gray.shape, bool)
    for away in (bright, dark):
        specks |= _exceeding(np.maximum(away, 0), 18 - 12 * sensitivity, radius_px=4 * widest)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(specks.astype(np.uint8), connectivity=8)
    sides, areas = stats[:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)], stats[:, cv2.CC_STAT_AREA]
    compact = areas >= 0.3 * sides.prod(axis=1)
    kept = compact & (sides.max(axis=1) <= 1.5 * widest) & (np.arange(count) > 0)
    return _enlarged(kept[labels], image, grown_px=1)


def _reduced(image: Image) -> Gray:
    """Return gray values, 0 to 255, with a longer side of at most `LONGEST_PX`."""
    gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)
    scale = LONGEST_PX / max(gray.shape)
    return gray if scale >= 1 else np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _enlarged(hole: Hole, image: Image, *, grown_px: int) -> Hole:
    """Return a hole of the reduced image, grown, at the size of the image."""
    side = 2 * grown_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    grown = cv2.dilate(hole.astype(np.uint8), disc)
    found: Hole = cv2.resize(grown, image.shape[1::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    return found


def _segment(length: int, angle: float) -> Gray:
    """Return a kernel that takes the mean along a line through the middle."""
    reach = length // 2 + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    along = np.array((np.cos(angle), np.sin(angle))) * (length - 1) / 2
    first, last = (np.rint((reach + sign * along) * 16).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, first, last, 1.0, 1, cv2.LINE_8, 4)
    mean: Gray = kernel / kernel.sum()
    return mean


def _shifted(values: Gray, x: float, y: float) -> Gray:
    """Return what lies so far beside each pixel, in whole pixels."""
    move = np.array([[1, 0, -round(x)], [0, 1, -round(y)]], np.float64)
    return np.asarray(cv2.warpAffine(values, move, values.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.float32)


def _exceeding(values: Gray, times: float, *, radius_px: int) -> Hole:
    """Return what is above so many times the mean of its surroundings, with what is connected above half of that."""
    window = (2 * radius_px + 1, 2 * radius_px + 1)
    # Twice: what is looked for must not count as usual.
    bar = 3 * np.asarray(cv2.blur(values, window), np.float32)
    usual = np.asarray(cv2.blur(np.minimum(values, bar), window), np.float32) + np.float32(FLOOR)
    low = (values > times / 2 * usual).astype(np.uint8)
    count, labels = cv2.connectedComponents(low, connectivity=8)
    strong = np.zeros(count, bool)
    strong[labels[values > times * usual]] = True
    strong[0] = False
    exceeding: Hole = strong[labels]
    return exceeding


def _long(where: Hole, least_px: float) -> Hole:
    """Return the parts that are longer than this, and at least six times as long as wide on average."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=8)
    lengths = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    kept = (lengths >= least_px) & (lengths**2 >= 6 * stats[:, cv2.CC_STAT_AREA]) & (np.arange(count) > 0)
    long: Hole = kept[labels]
    return long
