"""Comparisons of features that are sums over positions, so that images of any size can be compared in strips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.nn.strips import STRIP_BYTES, sums_by_strips
from inpaint.nn.vgg import VGG, stride_of

PIXELS_AT_ONCE = 2**19  # larger images go through the network in strips: a third slower, in little memory


class Comparison(Protocol):
    """A comparison of one layer's features with something that does not change."""

    @property
    def layer(self) -> str:
        """Name of the layer."""
        ...

    def sums(self, features: Tensor, rows: slice) -> Tensor:
        """Return a vector for some rows of the features (1, C, h, W), of which the sum over all rows is needed."""
        ...

    def value(self, total: Tensor) -> Tensor:
        """Return the scalar that the sum over all rows stands for."""
        ...


def compared(network: VGG, image: Tensor, comparisons: Sequence[Comparison]) -> list[Tensor]:
    """Return the value of each comparison for an image (1, 3, H, W) that is normalized; the network runs once."""
    by_layer = dict[str, list[Comparison]]()
    for comparison in comparisons:
        by_layer.setdefault(comparison.layer, []).append(comparison)
    lengths = dict[int, int]()

    def reduced(parts: Sequence[Comparison], features: Tensor, rows: slice) -> Tensor:
        vectors = [part.sums(features, rows) for part in parts]
        lengths.update((id(part), len(vector)) for part, vector in zip(parts, vectors, strict=True))
        return torch.cat(vectors)

    totals = network_sums(network, image, {layer: partial(reduced, parts) for layer, parts in by_layer.items()})
    values = dict[int, Tensor]()
    for layer, parts in by_layer.items():
        start = 0
        for part in parts:
            values[id(part)] = part.value(totals[layer][start : start + lengths[id(part)]])
            start += lengths[id(part)]
    return [values[id(comparison)] for comparison in comparisons]


def network_sums(network: VGG, image: Tensor, reductions: Mapping[str, partial[Tensor]]) -> dict[str, Tensor]:
    """Return the sums over all rows, in strips where the image is large."""
    whole = image.shape[-2] * image.shape[-1] <= PIXELS_AT_ONCE
    return sums_by_strips(network, image, reductions, strip_bytes=None if whole else STRIP_BYTES)


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


def mask_at(mask: Tensor, layer: str, rows: slice) -> Tensor:
    """Return how much of each position of a layer lies in a mask (1, 1, H, W), for some rows."""
    step = stride_of(layer)
    part = mask[:, :, rows.start * step : rows.stop * step]
    return F.avg_pool2d(part, step) if step > 1 else part


def _products(weight: Tensor | None, features: Tensor, rows: slice) -> Tensor:
    flat = features[0].flatten(1)  # (C, h w)
    if weight is None:
        weighted, count = flat, torch.full((1,), float(flat.shape[1]), dtype=flat.dtype, device=flat.device)
    else:
        weighted, count = flat * weight.flatten(), weight.sum().view(1)
    return torch.cat([(weighted @ flat.T).flatten(), len(flat) * count])


def _mean_products(total: Tensor) -> Tensor:
    return total[:-1] / total[-1].clamp_min(torch.finfo(total.dtype).tiny)
