"""WCT in the plain arithmetic of the public program: what tests and speed measurements compare with.

Layer behind layer, and the transform by singular value decompositions. Shares weights with a `Network`, which are
copied, and nothing else.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint.models.wct.network import Network
from inpaint.style.plain_coders import plain_decoder, plain_encoder

CUT = 1e-5


class Reference(nn.Module):
    """A `Network` computed plainly: the same images from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        levels = range(1, network.config.levels + 1)
        self.encoders = nn.ModuleList(plain_encoder(network.encoder, level) for level in levels)
        self.decoders = nn.ModuleList(plain_decoder(network.decoder(level)) for level in levels)
        self.eval()

    def forward(self, images: Tensor, level: int) -> Tensor:
        """Return what a `Network` does."""
        painted: Tensor = self.decoders[level - 1](self.encoders[level - 1](images))
        return painted

    def styled(self, content: Tensor, style: Tensor, *, strength: float) -> Tensor:
        """Return a content (1, 3, H, W) in a style (1, 3, h, w), painted at all levels from the coarsest on."""
        image = content
        for encode, decode in zip(reversed(self.encoders), reversed(self.decoders), strict=True):
            own, wanted = encode(image)[0], encode(style)[0]
            moved = whitened_and_colored(own.flatten(1).double(), wanted.flatten(1).double())
            image = decode((strength * moved.view_as(own) + (1 - strength) * own.double()).to(image.dtype)[None])
        return image


def whitened_and_colored(own: Tensor, wanted: Tensor) -> Tensor:
    """Return features (C, M) with mean and covariance of others (C, N)."""
    mean, theirs = own.mean(dim=1, keepdim=True), wanted.mean(dim=1, keepdim=True)
    factors = []
    for rows, exponent in ((own - mean, -0.5), (wanted - theirs, 0.5)):
        left, values, _ = torch.linalg.svd(rows @ rows.T / (rows.shape[1] - 1))
        kept = int((values >= CUT).sum())
        factors.append(left[:, :kept] * values[:kept] ** exponent @ left[:, :kept].T)
    found: Tensor = factors[1] @ (factors[0] @ (own - mean)) + theirs
    return found
