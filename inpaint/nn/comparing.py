"""Comparisons of features that are sums over positions, so that images of any size can be compared in strips."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.nn.strips import STRIP_BYTES, Reduction, empty_map, sums_by_strips
from inpaint.nn.vgg import VGG, VggName, receptive_px, stride_of

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


def network_sums(network: VGG, image: Tensor, reductions: Mapping[str, Reduction]) -> dict[str, Tensor]:
    """Return the sums over all rows, in strips where the image is large."""
    whole = image.shape[-2] * image.shape[-1] <= PIXELS_AT_ONCE
    return sums_by_strips(network, image, reductions, strip_bytes=None if whole else STRIP_BYTES)


def features_of(network: VGG, image: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
    """Return the features (1, C, h, w) of the named layers, without gradient; nothing else is kept of a large image."""
    found = dict[str, Tensor]()

    def keep(layer: str, features: Tensor, rows: slice) -> Tensor:
        if layer not in found:  # one map from the first rows on: put together in the end, there would be two of it
            height = image.shape[2]
            for _ in range(stride_of(layer).bit_length() - 1):
                height = (height + network.ceil_mode) // 2
            found[layer] = empty_map(features, height)
        found[layer][:, :, rows] = features
        return features.new_zeros(1)

    with torch.no_grad():
        network_sums(network, image, {layer: partial(keep, layer) for layer in layers})
    return found


def mask_at(mask: Tensor, layer: str, rows: slice) -> Tensor:
    """Return how much of each position of a layer lies in a mask (1, 1, H, W), for some rows."""
    step = stride_of(layer)
    part = mask[:, :, rows.start * step : rows.stop * step]
    return F.avg_pool2d(part, step) if step > 1 else part


def eroded(mask: Tensor, network: VggName, layer: str) -> Tensor:
    """Return a mask under which `mask_at` gives each position of a layer the least that its feature sees of a mask.

    So features that see anything beyond the mask do not count; the edge of the image is none of the mask's. The mask
    itself is returned where it is too small for that: where no position keeps half of the largest weight.

    Args:
        mask: (1, 1, H, W) in [0, 1].
        network: Whose layer it is.
        layer: Name.
    """
    step, (around, _) = stride_of(layer), receptive_px(network, [layer])
    if min(mask.shape[-2:]) < step:  # the layer has no positions, which whoever runs the network is told
        return mask
    least = -F.max_pool2d(-mask, step + 2 * around, stride=step, padding=around)
    if least.max() < mask.max() / 2:
        return mask
    return least.repeat_interleave(step, 2).repeat_interleave(step, 3)
