"""The colors that are optimized, from RGB in [0, 1] and back: programs differ in it, and steps depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from inpaint.nn.features import FeatureNetwork, normalized_for
from inpaint.nn.vgg import CAFFE_FILES, CAFFE_MEAN, normalized


class Space(Protocol):
    """Colors (B, 3, H, W) of some order and range."""

    def of(self, images: Tensor) -> Tensor:
        """Map RGB in [0, 1] to this space."""
        ...

    def back(self, colors: Tensor) -> Tensor:
        """Map colors of this space to RGB in [0, 1], not clamped."""
        ...

    def shown(self, colors: Tensor, network: FeatureNetwork) -> Tensor:
        """Map colors of this space to what a network's weights expect."""
        ...


@dataclass(frozen=True)
class RgbSpace(Space):
    """RGB in [0, 1]."""

    def of(self, images: Tensor) -> Tensor:
        """Return the images."""
        return images

    def back(self, colors: Tensor) -> Tensor:
        """Return the colors."""
        return colors

    def shown(self, colors: Tensor, network: FeatureNetwork) -> Tensor:
        """Map colors to what a network's weights expect."""
        return normalized_for(network, colors)


@dataclass(frozen=True)
class CaffeSpace(Space):
    """What Caffe's weights expect: blue first, `scale` times [0, 1] less a mean.

    Args:
        scale: 255; programs that came from Lua multiply by 256.
        mean: Blue, green, red on the scale of 255.
    """

    scale: float = 255.0
    mean: tuple[float, float, float] = CAFFE_MEAN[::-1]

    def of(self, images: Tensor) -> Tensor:
        """Map RGB in [0, 1] to this space."""
        return self.scale * images.flip(-3) - self._mean(images)

    def back(self, colors: Tensor) -> Tensor:
        """Map colors of this space to RGB in [0, 1], not clamped."""
        return ((colors + self._mean(colors)) / self.scale).flip(-3)

    def shown(self, colors: Tensor, network: FeatureNetwork) -> Tensor:
        """Return the colors for Caffe's weights, and what torchvision's expect for others."""
        return colors if network in CAFFE_FILES else normalized(self.back(colors))

    def _mean(self, like: Tensor) -> Tensor:
        return like.new_tensor(self.mean).view(3, 1, 1)
