"""What deep image blending compares of features, and the style that it takes from the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from inpaint.nn.comparing import mask_at, network_sums
from inpaint.nn.vgg import VGG, stride_of


def gram_matrices(network: VGG, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Return F F^T / (C H W), flat (C^2,), of an image that is normalized, by layer."""
    with torch.no_grad():
        sums = network_sums(network, image, {layer: partial(_products, None) for layer in layers})
        return {layer: _mean_products(total) for layer, total in sums.items()}


@dataclass(frozen=True)
class SquaredDifference:
    """Mean squared difference of features from other features, over channels and the positions in a mask.

    Args:
        layer: Name.
        target: (1, C, h, w).
        mask: (1, 1, H, W) at the image's size, by which differences are weighted; None: they are summed everywhere.
        pixels: What the mean is over, in pixels of the image: the mask's area.
    """

    layer: str
    target: Tensor
    mask: Tensor | None
    pixels: Tensor

    def sums(self, features: Tensor, rows: slice) -> Tensor:
        """Return the sum of squares (1,)."""
        squares = (features - self.target[:, :, rows]).square()
        if self.mask is not None:
            squares = squares * mask_at(self.mask, self.layer, rows)
        return squares.sum().view(1)

    def value(self, total: Tensor) -> Tensor:
        """Return the mean."""
        return total[0] * (stride_of(self.layer) ** 2 / self.target.shape[1]) / self.pixels


@dataclass(frozen=True)
class StyleDifference:
    """Mean squared difference between Gram matrices, of the positions in a mask and of a target.

    Args:
        layer: Name.
        target: (C^2,), see `gram_matrices`.
        mask: (1, 1, H, W) at the image's size, by which positions are weighted; None: all count alike.
    """

    layer: str
    target: Tensor
    mask: Tensor | None

    def sums(self, features: Tensor, rows: slice) -> Tensor:
        """Return the products of channels and, last, how many values they are of (C^2 + 1,)."""
        return _products(None if self.mask is None else mask_at(self.mask, self.layer, rows), features, rows)

    def value(self, total: Tensor) -> Tensor:
        """Return the mean over the matrix's entries."""
        return (_mean_products(total) - self.target).square().mean()


def _products(weight: Tensor | None, features: Tensor, rows: slice) -> Tensor:
    flat = features[0].flatten(1)  # (C, h w)
    if weight is None:
        weighted, count = flat, torch.full((1,), float(flat.shape[1]), dtype=flat.dtype, device=flat.device)
    else:
        weighted, count = flat * weight.flatten(), weight.sum().view(1)
    return torch.cat([(weighted @ flat.T).flatten(), len(flat) * count])


def _mean_products(total: Tensor) -> Tensor:
    return total[:-1] / total[-1].clamp_min(torch.finfo(total.dtype).tiny)
