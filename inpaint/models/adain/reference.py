"""AdaIN in the plain arithmetic of the public program: what tests and speed measurements compare with.

Layer behind layer as they are listed there. Shares weights with a `Network`, which are copied, and nothing else.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint.models.adain.network import Network
from inpaint.style.plain_coders import plain_decoder, plain_encoder

EPS = 1e-5


class Reference(nn.Module):
    """A `Network` computed plainly: the same images from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = plain_encoder(network.encoder, network.config.level)
        self.decoder = plain_decoder(network.decoder)
        self.eval()

    def forward(self, content: Tensor, style: Tensor, strength: float = 1.0) -> Tensor:
        """Return what a `Network` does."""
        x, s = self.encoder(content), self.encoder(style)
        (mean, deviation), (style_mean, style_deviation) = _statistics(x), _statistics(s)
        t = (x - mean) / deviation * style_deviation + style_mean
        painted: Tensor = self.decoder(strength * t + (1 - strength) * x)
        return painted


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    rows = x.flatten(2)
    variance = rows.var(dim=2) + EPS
    return rows.mean(dim=2)[..., None, None], torch.sqrt(variance)[..., None, None]
