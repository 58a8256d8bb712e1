"""How a blend differs from the source inside, and at the border: what Poisson's equation makes small, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.blending.base import Mask
from inpaint.classical.poisson.grid import PAIRS, degree, neighbor_sum


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """Of a blend, in levels of 255; less is nearer to the source.

    Args:
        seam: Mean over neighbors on both sides of the mask's border of how much their difference is not the source's.
        laplacian: Mean over the mask of how much the Laplacian is not the source's.
        shift: Mean over the mask of how much the colors are not the source's.
    """

    seam: float
    laplacian: float
    shift: float


def fidelity(blend: NDArray[Any], source: NDArray[Any], mask: Mask) -> Fidelity:
    """Measure a blend.

    Args:
        blend: (H, W, C) in [0, 1].
        source: (H, W, C) in [0, 1], in the same frame.
        mask: (H, W), not empty. Without a pixel outside of it the seam is 0.

    Example:
        >>> image, mask = np.zeros((3, 4, 1)), np.zeros((3, 4), bool)
        >>> mask[1, 1] = True
        >>> fidelity(image + mask[..., None] / 255, image, mask)
        Fidelity(seam=1.0, laplacian=4.0, shift=1.0)
    """
    excess = 255 * (blend.astype(np.float64) - source)
    across = []
    for axis, (first, second) in enumerate(PAIRS):
        border = mask[first] != mask[second]
        across.append(np.abs(np.diff(excess, axis=axis))[border])
    jumps = np.concatenate(across)
    count = degree(excess.shape[:2])[..., None].astype(np.float64)
    bend = np.abs(count * excess - neighbor_sum(excess))
    return Fidelity(
        seam=float(jumps.mean()) if jumps.size else 0.0,
        laplacian=float(bend[mask].mean()),
        shift=float(np.abs(excess)[mask].mean()),
    )
