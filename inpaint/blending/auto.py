"""The method that is taken where none is named."""

from __future__ import annotations

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]

from inpaint.blending.base import ArrayBlender, Image, Mask, Painted, Scene
from inpaint.blending.options import AutoOptions
from inpaint.blending.paste import Paste
from inpaint.blending.poisson import Poisson
from inpaint.blending.soft import Multiband

MOST_SPREAD = 0.3
"""Deviation of the differences along the border above which Poisson's equation is not taken, of the range."""


class Auto(ArrayBlender):
    """Poisson's equation wherever its assumption holds, that the border crosses no object of either image.

    Where the mask leaves nothing of the target to go by, the source is pasted. Where the differences between target and
    source along the border spread by more than three tenths of the range, the equation would carry them deep into the
    object as stains of color; `multiband` lets them end near the border.
    """

    name = "auto"

    def __init__(self, options: AutoOptions | None = None) -> None:
        self.options = options or AutoOptions()

    def context_px(self, size: tuple[int, int]) -> int | None:
        """Return what the method that reads farthest reads."""
        return Multiband().context_px(size)

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayBlender`. The details say what was taken, and why."""
        spread = border_spread(scene.source, scene.target, scene.mask)
        method: ArrayBlender
        if spread is None:
            method, reason = Paste(), "nothing of the target lies outside the mask"
        elif spread > MOST_SPREAD:
            method, reason = Multiband(), f"the images differ too unevenly along the border ({spread:.2f} of the range)"
        else:
            method, reason = Poisson(), f"the images differ evenly along the border ({spread:.2f} of the range)"
        painted = method.paint(scene)
        details = {**painted.details, "method": method.name, "reason": reason}
        return Painted(image=painted.image, aux=painted.aux, warnings=painted.warnings, details=details)


def border_spread(source: Image, target: Image, mask: Mask) -> float | None:
    """Return how far the differences of target and source along a mask's border are from their mean.

    Args:
        source: (H, W, 3) in [0, 1].
        target: (H, W, 3) in [0, 1].
        mask: (H, W).

    Returns:
        The root of the mean square over the border's pixels outside the mask, and over channels; None without any.
    """
    ring = ndimage.binary_dilation(mask) & ~mask
    if not ring.any():
        return None
    difference = target[ring].astype(np.float64) - source[ring]
    return float(np.sqrt(np.square(difference - difference.mean(axis=0)).mean()))
