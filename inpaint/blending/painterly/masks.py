"""Where colors may move, and how the result is put into the painting: masks grown and softened by a Gaussian."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.float64]

LOOSE_PX = 35  # window of the Gaussian by which the mask grows, at WORK_PX
WORK_PX = 700  # longest side of the authors' images
RIM_PX = 7  # window of those that soften the mask


def blurred(mask: Plane, side_px: int, deviation_px: float) -> Plane:
    """Return a mask (H, W) smoothed by a Gaussian on a window of this many pixels; outside the frame it is 0."""
    smooth = cv2.GaussianBlur(mask, (side_px, side_px), deviation_px, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(smooth, np.float64)


def loose(mask: Plane, side_px: int = LOOSE_PX) -> NDArray[np.bool_]:
    """Return where colors may move: around a mask (H, W) in [0, 1], some pixels farther than it reaches."""
    return blurred(mask, side_px, side_px / 3) > 0.1


def window_px(size: tuple[int, ...]) -> int:
    """Return the window of `loose` for an image of this size, odd.

    Example:
        >>> window_px((525, 700)), window_px((64, 48))
        (35, 3)
    """
    return 2 * round((LOOSE_PX * max(size[:2]) / WORK_PX - 1) / 2) + 1


def wide_rim(mask: Plane) -> Plane:
    """Return the weight with which the authors put the result into the painting: 1 in the mask, soft around it."""
    near = (blurred(mask, RIM_PX, 3.0) > 0.01).astype(np.float64)
    return blurred(near, RIM_PX, 3.0)


def inner_rim(mask: Plane) -> Plane:
    """Return a weight that is 0 outside a mask, soft along its border, and 1 a few pixels inside.

    The frame is no border of the mask.
    """
    padded = np.pad(mask, RIM_PX, mode="edge")
    weight = (2 * blurred(padded, RIM_PX, 3.0) - 1)[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]
    return np.where(mask > 0.5, weight.clip(0, 1), 0)
