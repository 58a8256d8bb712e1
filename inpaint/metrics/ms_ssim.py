"""Structural similarity over five scales.

Wang, Simoncelli, Bovik, "Multi-scale structural similarity for image quality assessment", 2003, eq. 7: the contrast and
structure of the scales, and the luminance of the coarsest, to the powers of the paper, with the window and constants of
`inpaint.metrics.ssim`. Details as in torchmetrics: scales are means of 2 x 2 pixels; a negative mean counts as 0; the
coarsest scale is averaged over all its pixels, the image continued as its mirror image (the edge pixel once), the
others over pixels whose window lies inside.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from inpaint.errors import InputError
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Pair, RegionMeasure
from inpaint.metrics.ssim import RADIUS_PX, WINDOW_PX, ssim_terms
from inpaint.nn.padding import pad

POWERS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, the finest first
SMALLEST_PX = WINDOW_PX * 2 ** (len(POWERS) - 1)


class MSSSIM(RegionMeasure):
    """Multi-scale structural similarity of the whole image, at least 176 pixels a side.

    Smaller images have no number: with fewer scales it would be another measure under this name. It has no number for
    the hole, either, which at the coarsest scale is a pixel or two.
    """

    family = "ms_ssim"
    better, low, high = "higher", 0.0, 1.0
    title = "MS-SSIM"
    smallest_px = SMALLEST_PX

    def __init__(self, *, raw: bool = False) -> None:
        super().__init__(raw=raw)

    def of_pair(self, pair: Pair, hole: Tensor | None) -> Tensor:
        """Return the whole image's value."""
        return ms_ssim(wide(pair.painted), wide(pair.image))


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return the MS-SSIM (B,), in [0, 1], of images (B, C, H, W) in [0, 1]. Raises InputError for smaller ones."""
    if min(a.shape[-2:]) < SMALLEST_PX:
        height, width = a.shape[-2:]
        raise InputError(f"MS-SSIM needs images of at least {SMALLEST_PX} pixels a side, got {height} x {width}")
    product = a.new_ones(len(a))
    for power in POWERS[:-1]:
        product = product * ssim_terms(a, b)[1].mean(dim=(1, 2, 3)).relu() ** power
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    around = (RADIUS_PX,) * 4
    luminance, structure = ssim_terms(pad(a, around, mode="reflect"), pad(b, around, mode="reflect"))
    return product * (luminance * structure).mean(dim=(1, 2, 3)).relu() ** POWERS[-1]
