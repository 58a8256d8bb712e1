"""A part of a photo at a smaller size and back: what is known is averaged, what was painted is interpolated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.images.regions import Region

Pixels: TypeAlias = NDArray[Any]
"""(h, w, 3) floating point."""
HoleArray: TypeAlias = NDArray[np.bool_]
Scales: TypeAlias = Literal["values", "lines", "colors"]
"""As of `Plane`."""
Cut: TypeAlias = Callable[[Region], Pixels]
"""Returns a rectangle of a photo, (h, w, 3) floating point in [0, 1]."""

BAND_PIXELS = 2**20  # a photo is converted and reduced so many pixels at a time
CUBIC = -0.75  # Keys' parameter, as OpenCV and torch have it


def scaled_to(size: tuple[int, int], longer_px: float) -> tuple[int, int]:
    """Return height and width with a longer side of at most so many pixels; each at least 1.

    Example:
        >>> scaled_to((4000, 6000), 1500)
        (1000, 1500)
    """
    factor = min(longer_px / max(size), 1.0)
    # Downwards, so that no more than what was asked for is taken; but not for the rounding of the factor itself.
    return max(int(size[0] * factor + 1e-6), 1), max(int(size[1] * factor + 1e-6), 1)


def reduced(
    cut: Cut, region: Region, unknown: HoleArray, size: tuple[int, int], *, whole: bool = False
) -> tuple[Pixels, HoleArray]:
    """Return a part of a photo and its hole at a smaller size; nothing of the hole's own colors enters.

    A pixel is the mean of the known area that it covers, and belongs to the hole where any of that is hole; where
    nothing would be left known, only where all of it is. For fills that read the hole a pixel is the mean of all that
    it covers.

    Args:
        cut: Of the photo.
        region: The part.
        unknown: (h, w) of the region, True = hole.
        size: Height and width to reduce to, neither more than the region's.
        whole: Whether the colors in the hole enter, too.

    Returns:
        Colors, 0 where nothing is known, and hole.
    """
    (height, width), (new_height, new_width) = region.size, size
    colors, weights = [], []
    rows = max(BAND_PIXELS // width, 1)
    for top in range(0, height, rows):
        band = Region(region.top + top, min(region.top + top + rows, region.bottom), region.left, region.right)
        known = (~unknown[top : top + band.size[0]]).astype(np.float32)
        image = (cut(band) if whole else np.where(known[..., None] > 0, cut(band), 0)).astype(np.float32)
        across = (new_width, band.size[0])
        colors.append(cv2.resize(image, across, interpolation=cv2.INTER_AREA))
        weights.append(cv2.resize(known, across, interpolation=cv2.INTER_AREA))
    color = cv2.resize(np.concatenate(colors), (new_width, new_height), interpolation=cv2.INTER_AREA)
    weight = cv2.resize(np.concatenate(weights), (new_width, new_height), interpolation=cv2.INTER_AREA)
    some = weight > 1e-6
    if not whole:
        color = np.where(some[..., None], color / np.maximum(weight, 1e-6)[..., None], 0)
    color = color.clip(0, 1)
    hole = weight < 1 - 1e-6
    return color.astype(np.float32), (~some if hole.all() else hole)


def reduced_plane(plane: Pixels, size: tuple[int, int], scales: Scales = "values") -> Pixels:
    """Return a plane (h, w, C) in [0, 1] at a smaller size.

    scales: "values" are averaged. "lines" are 1 where one as thin as a pixel crosses at least half of the area, so that
    they stay what a network knows, and connected. "colors" are averaged where their last channel, which is treated as a
    line, says that they are given, and are 0 elsewhere.
    """
    across = size[::-1]
    if scales == "values":
        mean = cv2.resize(plane, across, interpolation=cv2.INTER_AREA).reshape(*size, -1)
        return mean.clip(0, 1)
    # What a line covers that crosses half of the area: half a pixel of as many as are averaged along one side.
    least = 0.5 * max(size[0] / plane.shape[0], size[1] / plane.shape[1]) - 1e-6
    if scales == "lines":
        covered = cv2.resize(plane, across, interpolation=cv2.INTER_AREA).reshape(*size, -1)
        lines: Pixels = (covered >= least).astype(plane.dtype)
        return lines
    *colors, given = np.moveaxis(plane, 2, 0)
    covered = cv2.resize(given, across, interpolation=cv2.INTER_AREA)
    shown = covered >= least
    share = np.where(shown, covered, 1)
    weighed = [cv2.resize(color * given, across, interpolation=cv2.INTER_AREA) for color in colors]
    shades = [np.where(shown, each / share, 0).clip(0, 1) for each in weighed]
    return np.dstack([*shades, shown]).astype(plane.dtype)


def enlarged(image: Pixels, size: tuple[int, int], window: Region) -> Pixels:
    """Return a window of an image (h, w, C) enlarged to a size, cubic, borders repeated.

    Example:
        >>> image = np.full((4, 6, 3), 0.5)
        >>> enlarged(image, (8, 12), Region(2, 5, 0, 12)).shape
        (3, 12, 3)
    """
    rows, row_weights = _taps(window.top, window.bottom, image.shape[0], size[0])
    columns, column_weights = _taps(window.left, window.right, image.shape[1], size[1])
    first, last = rows.min(), rows.max() + 1
    across = np.zeros((last - first, len(columns), image.shape[2]), image.dtype)
    for tap in range(4):
        across += image[first:last, columns[:, tap]] * column_weights[None, :, tap, None].astype(image.dtype)
    down = np.zeros((len(rows), *across.shape[1:]), image.dtype)
    for tap in range(4):
        down += across[rows[:, tap] - first] * row_weights[:, tap, None, None].astype(image.dtype)
    return down


def _taps(start: int, stop: int, old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return which four of `old` pixels make the pixels from start to stop of `new`, and their weights, (n, 4) each."""
    place = (np.arange(start, stop) + 0.5) * old / new - 0.5
    before = np.floor(place).astype(np.int64)
    numbers = before[:, None] + np.arange(-1, 3)
    distance = np.abs(place[:, None] - numbers)
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance**2 + 1
    far = CUBIC * (((distance - 5) * distance + 8) * distance - 4)
    return numbers.clip(0, old - 1), np.where(distance <= 1, near, far)
