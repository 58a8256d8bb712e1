"""Perceptual loss: the distance between features of a VGG."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from inpaint.losses.base import at_least_float32, distance
from inpaint.losses.features import FeatureTerm


class Perceptual(FeatureTerm):
    """Sum over layers and images of the mean difference between features (Johnson et al., arXiv 1603.08155).

    Partial convolutions (1804.07723, section 3.4): L1 at pool1, pool2 and pool3 of VGG-16, raw and completed.
    EdgeConnect (1901.00212): L1 at relu1_1 to relu5_1 of VGG-19, raw only, input not normalized.
    """

    kind: Literal["perceptual"] = "perceptual"

    def layer_loss(self, generated: Tensor, real: Tensor) -> Tensor:
        """Return the mean over all elements."""
        return distance(at_least_float32(generated) - at_least_float32(real), self.norm).mean()
