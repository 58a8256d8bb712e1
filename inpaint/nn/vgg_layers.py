"""Layers of a VGG on colors of 0 to 255 less their mean, as Caffe's weights get them, and masks on their grids."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.nn.comparing import features_of
from inpaint.nn.spaces import CaffeSpace
from inpaint.nn.vgg import CAFFE_FILES, TORCHVISION_GAIN, VGG

Visit = Callable[[str, Tensor], Tensor]
"""Given the name of a layer and its features, returns what goes on to the next one."""


Space: TypeAlias = CaffeSpace
"""The colors that are optimized."""


class Layers:
    """A VGG whose activations have the size of those of Caffe's weights.

    Args:
        network: Whose pooling rounds sizes up.
        space: Of the colors that it gets.
    """

    def __init__(self, network: VGG, space: Space) -> None:
        self.network = network
        self.space = space
        self.gain = 1.0 if network.name in CAFFE_FILES else TORCHVISION_GAIN  # activations are multiplied by

    def features(self, colors: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Return the named layers' features (1, C, h, w) of colors (1, 3, H, W), without gradient."""
        found = features_of(self.network, self.space.shown(colors, self.network.name), layers)
        return {name: features * self.gain if self.gain != 1 else features for name, features in found.items()}

    def walk(self, colors: Tensor, layers: Collection[str], visit: Visit) -> None:
        """Compute the features as far as the last of the named layers, and show each of them to `visit`."""
        wanted = set(layers)
        x = self.space.shown(colors, self.network.name)
        for name, stage in self.network.stages.items():
            x = stage(x)
            if name in wanted:
                x = visit(name, x)
                wanted.remove(name)
                if not wanted:
                    return


def layer_masks(mask: Tensor, network: VGG, layers: Collection[str]) -> dict[str, Tensor]:
    """Return how much of each place of the named layers a mask (H, W) concerns, (h, w) in [0, 1].

    A convolution takes the mean of 3 x 3 places, those outside 0; pooling the mean of the area of each new place.
    Above 0 is every place that sees a pixel of the mask.
    """
    found: dict[str, Tensor] = {}
    x = mask
    for name, stage in network.stages.items():
        if name.startswith("pool"):
            x = reduced(x, (-(-x.shape[0] // 2), -(-x.shape[1] // 2)))
        elif isinstance(stage, nn.Conv2d):
            x = F.avg_pool2d(x[None, None], 3, stride=1, padding=1)[0, 0]
        if name in layers:
            found[name] = x
        if len(found) == len(layers):
            break
    return found


def reduced(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Return values (..., H, W) at a size (h, w) that is not larger: means over the area of each place."""
    down, across = (_shares(before, after, values) for before, after in zip(values.shape[-2:], size, strict=True))
    return down @ values @ across.mT


def nearest_places(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Return values (H, W) at another size (h, w): new row k is row floor(k H / h), and columns likewise."""
    rows, columns = (
        torch.arange(after, device=values.device) * before // after
        for before, after in zip(values.shape, size, strict=True)
    )
    return values[rows][:, columns]


def _shares(before: int, after: int, like: Tensor) -> Tensor:
    """Return (after, before): which share of each new place each old one is."""
    edges = torch.arange(after + 1, dtype=torch.float64) * before / after
    old = torch.arange(before, dtype=torch.float64)
    low, high = edges[:-1, None].maximum(old), edges[1:, None].minimum(old + 1)
    return ((high - low).clamp_min(0) * after / before).to(like)
