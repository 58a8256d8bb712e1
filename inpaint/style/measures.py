"""How far an image is from a content and from styles, by the features of a network: less is nearer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.nn.comparing import features_of
from inpaint.nn.features import normalized_for
from inpaint.nn.vgg import CAFFE_FILES, TORCHVISION_GAIN, VGG
from inpaint.style.gatys.moments import Moments, moments
from inpaint.style.gatys.presets import STYLE_LAYERS

CONTENT_LAYERS = ("relu4_2",)


@dataclass(frozen=True)
class Distances:
    """Of one image; features have the size that Caffe's weights give.

    Args:
        content: Mean squared difference of features from the content's, over layers.
        style: Squared difference of Gram matrices from the styles' as a share of the styles' own squares, over layers:
            1 for an image without features, 0 for the style itself.
    """

    content: float
    style: float


@torch.no_grad()
def distances(
    network: VGG,
    image: Tensor,
    content: Tensor,
    styles: Sequence[tuple[float, Tensor]],
    *,
    content_layers: Collection[str] = CONTENT_LAYERS,
    style_layers: Collection[str] = STYLE_LAYERS,
) -> Distances:
    """Measure an image.

    Args:
        network: By whose features; figures of different networks cannot be compared.
        image, content: (1, 3, H, W) in [0, 1].
        styles: Weights that sum to 1, and images (1, 3, h, w) in [0, 1].
        content_layers, style_layers: Names.
    """

    def shown(images: Tensor) -> Tensor:
        return normalized_for(network.name, images)

    gain = 1.0 if network.name in CAFFE_FILES else TORCHVISION_GAIN
    own, wanted = (features_of(network, shown(each), list(content_layers)) for each in (image, content))
    apart = [float((own[layer] - wanted[layer]).square().mean()) * gain**2 for layer in content_layers]
    found = [(weight, moments(network, shown(style), style_layers)) for weight, style in styles]
    statistics = moments(network, shown(image), style_layers)
    shares = []
    for layer in style_layers:
        target = Moments.mixed([(weight, each[layer]) for weight, each in found]).second
        off = (statistics[layer].second - target).square().sum()
        shares.append(float(off / target.square().sum().clamp_min(1e-30)))
    return Distances(content=sum(apart) / len(apart), style=sum(shares) / len(shares))
