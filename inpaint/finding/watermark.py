"""What is the same in all photos of a batch: a watermark or logo, by the median of their gradients.

Gradients of different photos cancel in the median, those of what lies over all of them remain (Dekel et al. 2017, "On
the Effectiveness of Visible Watermarks", section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InputError
from inpaint.finding.damage import Image
from inpaint.images.mask_rules import Hole

LEAST_PHOTOS, MOST_PHOTOS = 6, 32
MOST_PIXELS = 1_000_000
"""Photos with more are looked at in this size."""


def find_watermark(images: Sequence[Image], sensitivity: float) -> Hole:
    """Return what is constant over images of one size.

    Args:
        images: (H, W, 3) RGB each, at least 6 of different subjects; more are better.
        sensitivity: 0 to 1: the median gradient must be 12, 7.5 or 3 times its usual size, and 3 of 255 at least.

    Returns:
        (H, W), True = constant.

    Raises:
        InputError: There are fewer images, or they differ in size.
    """
    if len(images) < LEAST_PHOTOS:
        raise InputError(f"a watermark is what {LEAST_PHOTOS} or more photos of one size share; {len(images)} given")
    sizes = {image.shape for image in images}
    if len(sizes) > 1:
        raise InputError("photos that share a watermark must have one size")
    ((height, width, _),) = sizes
    scale = min(1.0, (MOST_PIXELS / (height * width)) ** 0.5)
    gradients = [_gradient(image, scale) for image in images[:MOST_PHOTOS]]
    median = np.median(np.stack(gradients), axis=0)  # (2, h, w)
    strength = np.hypot(median[0], median[1])
    usual = float(np.median(strength)) + 0.25
    edges = (strength > max(3.0, (12 - 9 * sensitivity) * usual)).astype(np.uint8)
    # Edges enclose the strokes; single pixels are chance.
    closing = max(3, round(0.012 * min(strength.shape))) | 1
    closed = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((closing, closing), np.uint8))
    solid = np.asarray(closed, np.uint8)
    solid = solid | _enclosed(solid)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    kept = (stats[:, cv2.CC_STAT_AREA] >= 2 * closing) & (np.arange(count) > 0)
    grown = cv2.dilate(kept[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    found: Hole = cv2.resize(grown, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
    return found


def _enclosed(edges: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what edges (h, w) enclose, 1 or 0, as far as it is no larger than a tenth of the image."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - edges, connectivity=4)
    inside = (stats[:, cv2.CC_STAT_AREA] <= edges.size / 10) & (np.arange(count) > 0)
    return np.asarray(inside[labels], np.uint8)


def _gradient(image: Image, scale: float) -> NDArray[np.float16]:
    """Return the gradient (2, h, w) of gray values, 0 to 255, halves of differences over two pixels."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    values = np.asarray(gray, np.float32)
    return np.stack([np.gradient(values, axis=1), np.gradient(values, axis=0)]).astype(np.float16)
