"""Masks that fade out around the hole, as VCNet lays one photo over another (Wang et al., ECCV 2020, arXiv 2003.06816).

The authors' program blurs the hole several times and sets the hole itself back to 1 after each pass. Its kernel is made
of a Gaussian's mass between points so close to the middle that it is constant to a tenth of a percent: nearly a box.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Ramp: TypeAlias = NDArray[np.float64]
"""(H, W) in [0, 1]."""

PASSES, SIDE_PX, DEVIATION = 4, 15, 1 / 40
"""Of the authors' program."""
_BORDERS = {"zero": cv2.BORDER_CONSTANT, "replicate": cv2.BORDER_REPLICATE}


def grown(
    mask: NDArray[np.generic],
    *,
    passes: int = PASSES,
    side_px: int = SIDE_PX,
    border: Literal["zero", "replicate"] = "zero",
) -> Ramp:
    """Return 1 in the hole, falling to 0 around it.

    Args:
        mask: (H, W), 0 and 1, or anything between.
        passes: How often it is blurred.
        side_px: Of the kernel.
        border: What lies outside the image: nothing as in the authors' program, or what lies at its border.
    """
    inside: Ramp = mask.astype(np.float64)
    line, current = kernel_1d(side_px), inside
    for _ in range(passes):
        blurred = cv2.sepFilter2D(current, -1, line, line, borderType=_BORDERS[border])
        current = np.asarray(blurred, np.float64) * (1 - inside) + inside
    return current


@lru_cache
def kernel_1d(side_px: int = SIDE_PX) -> Ramp:
    """Return the kernel (side_px,), sum 1: the square roots of a Gaussian's masses, whose outer product blurs."""
    half = DEVIATION + (2 * DEVIATION + 1) / side_px / 2
    masses = np.diff([math.erf(x / math.sqrt(2)) / 2 for x in np.linspace(-half, half, side_px + 1)])
    roots = np.sqrt(masses)
    line: Ramp = roots / roots.sum()
    line.setflags(write=False)
    return line
