"""What follows the two passes: smooth chroma, brushwork by patches of the painting, and the way into the painting."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.blending.painterly.options import PainterlyOptions
from inpaint.classical.color_transfer import from_lab, to_lab
from inpaint.classical.guided_filter import guided_filter
from inpaint.classical.resynthesis import SIDE, resynthesized
from inpaint.images.regions import Region

Image = NDArray[np.float32]

DETAIL_PX, DETAIL_DEVIATION_PX = 7, 1.0  # of the Gaussian beyond which lies the detail that is put back


def finished(
    painted: Image,
    pasted: Image,
    painting: Image,
    mask: NDArray[np.bool_],
    *,
    options: PainterlyOptions,
    rng: np.random.Generator,
    style: NDArray[np.bool_] | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> Image:
    """Return what both passes made, finished in the mask; elsewhere as it was.

    Args:
        painted: (H, W, 3) in [0, 1].
        pasted: (H, W, 3), the painting with the object before both passes.
        painting: (H, W, 3).
        mask: (H, W).
        options: Which steps.
        rng: Of the search for patches.
        style: (H, W), the part of the painting whose patches are taken; None: all.
        report: Told which share is done.
    """
    reach = 2 * options.chroma_radius + DETAIL_PX + SIDE
    box = Region.around(mask).grown(reach, mask.shape).slices
    part, inside = painted[box], mask[box]
    if options.smooth_chroma:
        part = chroma_filtered(part, pasted[box], radius_px=options.chroma_radius, eps=options.chroma_eps)
    if options.patches and min(painting.shape[:2]) >= SIDE:
        base = resynthesized(part, painting, inside, rng=rng, legal=style, report=report)
        smooth = cv2.GaussianBlur(part, (DETAIL_PX, DETAIL_PX), DETAIL_DEVIATION_PX, borderType=cv2.BORDER_REFLECT_101)
        part = base + (part - smooth)
    result = painted.copy()
    result[box][inside] = part[inside].clip(0, 1)
    return result


def chroma_filtered(image: Image, guide: Image, *, radius_px: int, eps: float) -> Image:
    """Return an image (H, W, 3) whose chroma in CIELAB follows the edges of a guide; its lightness is kept."""
    lab = to_lab(image.astype(np.float64))
    lab[..., 1:] = guided_filter(guide, lab[..., 1:], radius_px=radius_px, eps=eps)
    return np.asarray(from_lab(lab), np.float32)
