"""SN-PatchGAN, the discriminator that several models share: six strided convolutions with spectral norm.

Yu et al., "Free-Form Image Inpainting with Gated Convolution", ICCV 2019 (arXiv 1806.03589), section 3.2; details as in
the official program. A model's own class says which planes it reads.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.losses.base import Discriminator, DiscriminatorOutput
from inpaint.nn.gated import initialize_
from inpaint.nn.padding import PaddedConv2d, PaddingMode
from inpaint.nn.spectral import normalized_in_full_precision, spectrally_normalized


class SNPatchGAN(Discriminator):
    """One logit for every place of the last map and each of its channels.

    Args:
        planes: Channels that it reads.
        width: Outputs of the first layer; then 2, 4, 4, 4 and 4 times as many.
        padding: What lies beyond the border.
    """

    def __init__(self, planes: int, *, width: int, padding: PaddingMode) -> None:
        super().__init__()
        outputs = (width, 2 * width, 4 * width, 4 * width, 4 * width, 4 * width)
        inputs = (planes, *outputs)
        self.layers = nn.ModuleList(
            PaddedConv2d(before, after, 5, stride=2, padding=padding)
            for before, after in zip(inputs, outputs, strict=False)
        )
        initialize_(self)
        for layer in self.layers:
            spectrally_normalized(layer)

    def of_planes(self, planes: Sequence[Tensor]) -> DiscriminatorOutput:
        """Return logits (B, 4 width, H/64, W/64), rounded up, of planes that together are (B, planes, H, W)."""
        x = torch.cat(tuple(planes), dim=1)
        with normalized_in_full_precision(self.layers):
            for layer in self.layers:
                x = F.leaky_relu(layer(x), 0.2)  # after the last layer too, as in the official program
        return DiscriminatorOutput(x)
