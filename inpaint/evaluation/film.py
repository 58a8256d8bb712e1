"""A fixed camera's film: the empty scene, what moves before it, and single frames from which that is removed.

The scene is the median over time of every pixel. What differs from it by more than the noise moves. A pixel is noisy by
its median absolute deviation over time, so that what sways (a tape, leaves) does not count as moving. The threshold is
the universal one of Donoho and Johnstone ("Ideal spatial adaptation by wavelet shrinkage", 1994): of n values of
Gaussian noise hardly any exceeds sigma * sqrt(2 ln n).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from inpaint.images.films import MEMORY_BYTES, Film, median
from inpaint.images.masks import dilate_hole

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SIGMA_OF_MAD = 1.4826  # of Gaussian noise, from its median absolute deviation
ROUNDING = 1 / math.sqrt(12)  # standard deviation of rounding to levels: noise is not taken to be less
KNOWN_SHARE = 2 / 3
"""A pixel of the scene is known where at least so many frames agree with the median.

Half of them is where the median breaks down; with a third that differs, all to the same side, it is off by 0.67 sigma.
"""
STEADY_PX = 0.5  # a camera that moves less leaves pixels where they are
_NEARER = 0.75  # of the median difference: what undoing a shift of the camera leaves of it at most


@dataclass(frozen=True, eq=False)
class Scene:
    """What a fixed camera sees when nothing moves.

    Args:
        empty: (H, W, 3), the median over time.
        sigma: (H, W), standard deviation of each pixel's noise in levels of 255, of the noisiest channel; not less than
            the whole scene's.
        noise: Of the whole scene, in levels.
        known: (H, W), False where the median is no truth, since something stood or swayed there too often.
        floor: Root of the mean squared difference of single frames' still pixels from the median, in levels.
        frames: Over how many the median is.
    """

    empty: Rgb
    sigma: NDArray[np.float32]
    noise: float
    known: Mask
    floor: float
    frames: int

    @property
    def floor_db(self) -> float:
        """The noise floor as PSNR: what the empty scene itself, filmed once more, would be measured at."""
        return 20 * math.log10(255 / max(self.floor, ROUNDING))


def universal_threshold(values: int) -> float:
    """Return the number of standard deviations that hardly any of so many values of Gaussian noise exceeds."""
    return math.sqrt(2 * math.log(max(values, 2)))


def scene_of(
    film: Film, numbers: Sequence[int], *, threshold: float | None = None, most_bytes: int = MEMORY_BYTES
) -> Scene:
    """Return the empty scene.

    Args:
        film: Of a camera that does not move.
        numbers: Of the frames that the median is over.
        threshold: Standard deviations from which on a pixel differs; None: the universal one.
        most_bytes: What the frames that are looked at together may take.
    """
    size = (film.height, film.width)
    empty, spread = np.empty((*size, 3), np.uint8), np.empty(size, np.uint8)
    usual = np.empty(size, np.uint8)  # the deviation that KNOWN_SHARE of the frames do not exceed
    of_channels, of_pixels = np.zeros(256), np.zeros(256)
    squares = np.zeros(256)  # of all channels, by the largest channel's deviation
    for rows, strip in film.strips(numbers, most_bytes=most_bytes):
        agreeing = math.ceil(KNOWN_SHARE * len(strip)) - 1
        for top in range(0, strip.shape[1], 16):  # few rows at once: what is between takes several times as much
            part = np.ascontiguousarray(strip[:, top : top + 16])
            middle = median(part)
            deviation = np.maximum(part, middle) - np.minimum(part, middle)  # (N, h, W, 3)
            largest = deviation.max(axis=3)
            at = slice(rows.start + top, rows.start + top + part.shape[1])
            empty[at], spread[at] = middle, median(deviation).max(axis=2)
            usual[at] = np.partition(largest, agreeing, axis=0)[agreeing]
            of_channels += np.bincount(deviation.ravel(), minlength=256)
            of_pixels += np.bincount(largest.ravel(), minlength=256)
            squared = (deviation.astype(np.float32) ** 2).sum(axis=3)
            squares += np.bincount(largest.ravel(), weights=squared.ravel(), minlength=256)
    noise = max(SIGMA_OF_MAD * _median_of(of_channels), ROUNDING)
    limit = noise * (universal_threshold(3 * film.height * film.width) if threshold is None else threshold)
    still = np.arange(256) <= limit
    floor = math.sqrt(squares[still].sum() / (3 * max(of_pixels[still].sum(), 1)))
    return Scene(
        empty=empty,
        sigma=np.maximum(np.float32(SIGMA_OF_MAD) * spread, np.float32(noise)),
        noise=noise,
        known=usual <= limit,
        floor=floor,
        frames=len(set(numbers)),
    )


def _median_of(counts: NDArray[np.float64]) -> float:
    """Return the median of absolute values that were rounded and counted, within its level by linear interpolation."""
    share = np.cumsum(counts) / counts.sum()
    level = int(np.searchsorted(share, 0.5))
    below = share[level - 1] if level else 0.0
    low, width = (level - 0.5, 1.0) if level else (0.0, 0.5)
    return float(low + width * (0.5 - below) / (share[level] - below))


def moving(
    frame: Rgb,
    scene: Scene,
    *,
    threshold: float | None = None,
    smallest_px: int = 64,
    shadows: bool = False,
    dilate_px: float = 0,
) -> Mask:
    """Return what moves in a frame: what differs from the scene, cleaned, closed and dilated.

    Single pixels are opened away, gaps between parts closed, enclosed holes filled. Things that lie mostly where the
    scene is not known are left alone, since nothing could be compared there.

    Args:
        frame: (H, W, 3).
        scene: Of its film.
        threshold: Standard deviations of a pixel's noise from which on it differs; None: the universal one.
        smallest_px: Things of fewer pixels are left alone.
        shadows: Whether things get their shadows, see `shaded`. What is dark enough to differ by itself counts anyway.
        dilate_px: By how much everything grows at last.

    Returns:
        (H, W), True = moving.
    """
    limit = universal_threshold(frame.size) if threshold is None else threshold
    differs = np.any(cv2.absdiff(frame, scene.empty) > limit * scene.sigma[..., None], axis=2)
    opened = cv2.morphologyEx(np.asarray(differs, np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    gap = max(3, round(0.012 * min(frame.shape[:2])) | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap, gap))
    closed = ndimage.binary_fill_holes(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, disc))
    labels, count = ndimage.label(closed, np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    known = np.bincount(labels[scene.known], minlength=count + 1)
    kept = (areas >= smallest_px) & (2 * known >= areas)
    kept[0] = False
    things: Mask = kept[labels]
    if shadows and things.any():
        shade = shaded(frame, scene, threshold=limit)
        # The edge of a thing is neither it nor its shadow.
        parts, _ = ndimage.label(shade | dilate_hole(things, gap), np.ones((3, 3)))
        things = things | (shade & np.isin(parts, np.unique(parts[things])))
        things = ndimage.binary_fill_holes(cv2.morphologyEx(things.view(np.uint8), cv2.MORPH_CLOSE, disc))
    return dilate_hole(things, dilate_px)


def shaded(frame: Rgb, scene: Scene, *, threshold: float) -> Mask:
    """Return where a frame is darker than the scene and of the same chromaticity, as in a cast shadow.

    After Horprasert, Harwood and Davis, "A statistical approach for real-time robust background subtraction and shadow
    detection" (1999): a color is the scene's times its brightness distortion, plus what is perpendicular to it, the
    chromaticity distortion. Both are taken of means over 3 x 3 pixels. A shadow is dark by more than half the threshold
    (as the lower one of two, in Canny's ratio, since only what is connected to a thing is used), and its chromaticity
    differs by less than that.

    Args:
        frame: (H, W, 3).
        scene: Of its film.
        threshold: Standard deviations.

    Returns:
        (H, W), True = darker of the same chromaticity; isolated pixels are opened away.
    """
    seen, empty = (cv2.blur(each.astype(np.float32), (3, 3)) for each in (frame, scene.empty))
    length = np.maximum(np.linalg.norm(empty, axis=2), 1)
    brightness = (seen * empty).sum(axis=2) / length**2
    chromaticity = np.linalg.norm(seen - brightness[..., None] * empty, axis=2)
    limit = threshold / 2 * scene.sigma
    found = ((1 - brightness) * length > limit) & (chromaticity < limit)
    opened = cv2.morphologyEx(found.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return opened.astype(bool)


def shift_px(frame: Rgb, scene: Scene) -> float:
    """Return by how many pixels the camera has moved against the scene, by phase correlation; 0 where it has not.

    A shift counts where, undone, it brings most pixels much nearer to the scene: a large thing before a plain wall
    correlates, too, but leaves the wall where it is.
    """
    # A little blurred, so that moving by parts of a pixel does not look nearer for being smoother.
    gray, empty = (
        cv2.blur(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float32), (3, 3)) for each in (frame, scene.empty)
    )
    height, width = gray.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    # Without its mean: under a window that correlates best where it is.
    (right, down), _ = cv2.phaseCorrelate(empty - empty.mean(), gray - gray.mean(), window)
    undone = cv2.warpAffine(gray, np.array([[1, 0, -right], [0, 1, -down]], np.float32), (width, height))
    rows, columns = math.ceil(abs(down)) + 1, math.ceil(abs(right)) + 1
    inner = slice(rows, height - rows), slice(columns, width - columns)
    if gray[inner].size == 0:
        return 0.0
    before, after = (float(np.median(np.abs(each - empty)[inner])) for each in (gray, undone))
    return math.hypot(right, down) if after < _NEARER * before else 0.0
