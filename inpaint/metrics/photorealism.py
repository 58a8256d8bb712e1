"""Whether an image still looks like a photo of what the original shows: its residual of local affine fits."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint.losses.matting import MattingLaplacian
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Compared, ImageMeasure


class MattingResidual(ImageMeasure):
    """How far the completed image is from being an affine function of the original's colors in every window of 3 x 3.

    The photorealism term of Luan et al. ("Deep Photo Style Transfer", CVPR 2017), v^T M v with the matting Laplacian M
    of the original (eps 1e-7) summed over the channels, less the little that the original itself has, as the root of
    its mean over all pixels of all windows and channels, in levels of 255. 0: nothing but local colors and contrasts
    have changed; texture that the original has not counts, as do edges in other places. A constant image has 0, too: it
    says nothing of fidelity.
    """

    name, title = "matting_residual", "matting residual"
    better, low, high = "lower", 0.0, 127.5
    smallest_px = 3

    def values(self, compared: Compared) -> Tensor:
        """Measure one pair after the other."""
        pairs = zip(compared.completed, compared.image, strict=True)
        values = [matting_residual(completed, image) for completed, image in pairs]
        return wide(torch.stack(values) if values else compared.image.new_empty(0))


def matting_residual(image: Tensor, original: Tensor) -> Tensor:
    """Return the residual, a scalar in levels of 255, of an image (3, H, W) in [0, 1] beside an original like it."""
    laplacian = MattingLaplacian(original)
    energy = (laplacian.energies(image).sum() - laplacian.energies(original).sum()).clamp_min(0)
    return 255 * (energy / (len(image) * laplacian.windows.sum())).sqrt().to(image.device)
