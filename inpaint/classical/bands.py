"""Blending band by band of frequencies: Burt and Adelson, "A multiresolution spline with application to image mosaics",
1983.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def weighted_bands(
    difference: NDArray[Any], weight: NDArray[Any], bands: int, *, inwards: bool = False
) -> NDArray[np.float32]:
    """Return an image with each band of frequencies weighted over its own width.

    Added to one image with the difference to another, this blends the two: the Laplacian pyramid of the difference is
    the difference of their pyramids.

    Args:
        difference: (H, W, C).
        weight: (H, W) in [0, 1], of the finest band; each further band has it smoothed as the band is.
        bands: How many bands beside the rest; fewer where the image becomes smaller than 4 pixels.
        inwards: Smoothed weights begin at the border of what has weight and not outside of it, so that hardly anything
            is added where the weight is 0.

    Returns:
        (H, W, C). With a weight of 1 everywhere, the difference itself.

    Example:
        >>> whole = np.random.default_rng(0).random((9, 14, 3), dtype=np.float32)
        >>> bool(np.abs(weighted_bands(whole, np.ones((9, 14)), 3) - whole).max() < 1e-6)
        True
    """
    rest, share = difference.astype(np.float32), weight.astype(np.float32)
    levels: list[tuple[Plane, Plane]] = []
    while len(levels) < bands and min(share.shape) >= 4:
        lower = np.asarray(cv2.pyrDown(rest), np.float32)
        levels.append((rest - np.asarray(cv2.pyrUp(lower, dstsize=share.shape[::-1])), share))
        rest, share = lower, np.asarray(cv2.pyrDown(share), np.float32)
    coarsest = (rest, share)
    total: Plane = np.zeros((1, 1, 3), np.float32)
    for number, (band, own) in reversed(list(enumerate([*levels, coarsest]))):
        shown = (2 * own - 1).clip(0, 1) if inwards and number else own  # at a straight border, half is the border
        weighted = band * shown[..., None]
        total = weighted if number == len(levels) else np.asarray(cv2.pyrUp(total, dstsize=own.shape[::-1])) + weighted
    return total
