"""Style loss: the distance between Gram matrices of features of a VGG."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from inpaint.losses.base import at_least_float32, distance
from inpaint.losses.features import FeatureTerm


class Style(FeatureTerm):
    """Sum over layers and images of the mean difference between Gram matrices (Gatys et al., arXiv 1508.06576).

    gram: what F F^T is divided by: `chw` (C H W, partial convolutions and EdgeConnect), `hw` (H W), `none`. The mean is
    taken over the batch and the C x C entries.
    """

    kind: Literal["style"] = "style"
    gram: Literal["chw", "hw", "none"] = "chw"

    def layer_loss(self, generated: Tensor, real: Tensor) -> Tensor:
        """Return the mean over the batch and all entries of the matrices."""
        channels, pixels = generated.shape[1], generated.shape[2] * generated.shape[3]
        divisor = {"chw": channels * pixels, "hw": pixels, "none": 1}[self.gram]
        return distance(gram_matrix(generated, divisor) - gram_matrix(real, divisor), self.norm).mean()


def gram_matrix(features: Tensor, divisor: float) -> Tensor:
    """Return F F^T / divisor of each image.

    Args:
        features: (B, C, H, W).
        divisor: What every entry is divided by.

    Returns:
        (B, C, C), in float32 also inside autocast: sums over all pixels overflow half precision.

    Example:
        >>> gram_matrix(torch.ones(1, 2, 3, 4), 12).tolist()
        [[[1.0, 1.0], [1.0, 1.0]]]
    """
    rows = at_least_float32(features).flatten(2)  # (B, C, H W)
    with torch.autocast(features.device.type, enabled=False):
        return (rows @ rows.mT) / divisor
