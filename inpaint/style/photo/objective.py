"""What the stages of photographic style transfer minimize: content, style region by region, and photorealism.

Luan, Paris, Shechtman and Bala, "Deep Photo Style Transfer" (CVPR 2017, arXiv 1703.07511).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.losses.matting import MattingLaplacian
from inpaint.nn.vgg_layers import Layers, Space, layer_masks
from inpaint.optimize.layer_terms import Content, LayerTerm, MappedStyle, Pull, Smoothness, masked_gram
from inpaint.optimize.layered import PIXELS, LayeredObjective, Weighted

CONTENT = "relu4_2"
STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
LEVEL = 1 / 255


@dataclass(frozen=True)
class Weights:
    """Of the losses of a stage; style counts once for every layer and region, times the region's share of the image."""

    content: float
    style: float
    photorealism: float = 0.0
    smoothness: float = 0.0


EXACT = Weights(content=5.0, style=100.0, photorealism=1e4, smoothness=1e-3)
"""The program's, of its second stage; the first has no photorealism."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """A region of the content and what it is to look like.

    Args:
        mask: (H, W) in [0, 1], how much of each pixel it concerns.
        style: (1, 3, h, w), in the network's space.
        style_mask: (h, w) in [0, 1]; None: all of the style.
    """

    mask: Tensor
    style: Tensor
    style_mask: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Photorealism(LayerTerm):
    """Energy of the matting Laplacian, of the colors in [0, 1], summed over the channels.

    Args:
        laplacian: Of the content.
        space: Of the colors that are compared.
    """

    laplacian: MattingLaplacian
    space: Space

    def pull(self, features: Tensor) -> Pull:
        """Compare colors (3, H, W) of the space."""
        image = self.space.back(features[None])[0].to(self.laplacian.image)
        product = self.laplacian.product(image)
        gradient = (product * (2 / self.space.scale)).flip(0)  # blue comes first there
        return Pull((image * product).sum().to(features), gradient.to(features))


def style_terms(
    layers: Layers, content: Tensor, regions: Sequence[Region], *, strength: float, weight: float, exact: bool
) -> list[Weighted]:
    """Return the style losses of every layer and region.

    Args:
        layers: The network.
        content: (1, 3, H, W), whose statistics the targets keep a part of.
        regions: Styles by regions.
        strength: Share of the style's statistics in the targets; the rest is the content's own.
        weight: See `Weights`.
        exact: As the program: products are weighted by the squared masks, and the gradient by the mask only once.
    """
    masks = [layer_masks(region.mask, layers.network, STYLE) for region in regions]
    with torch.no_grad():
        own = layers.features(content, STYLE) if strength < 1 else {}
        targets = _targets(layers, regions, exact=exact)
    terms: list[Weighted] = []
    for number, by_layer in enumerate(masks):
        for layer in STYLE:
            mask = by_layer[layer]
            if not bool(mask.any()):
                continue
            target = targets[number][layer]
            if strength < 1:
                target = target.lerp(_gram(own[layer][0], mask, exact=exact), 1 - strength)
            share = weight * float(mask.mean())
            term = (
                MappedStyle(target, mask, through=False)
                if exact
                else MappedStyle(target, mask.sqrt(), total=mask.sum())
            )
            terms.append(Weighted(f"style_{layer}_{number}", layer, term, share))
    return terms


def photo_objective(
    layers: Layers,
    content: Tensor,
    styles: Sequence[Weighted],
    laplacian: MattingLaplacian,
    *,
    weights: Weights,
    start: Tensor,
    mask: Tensor,
    exact: bool,
) -> LayeredObjective:
    """Return the objective of a stage.

    Args:
        layers: The network.
        content: (1, 3, H, W).
        styles: Of `style_terms`.
        laplacian: Of the content.
        weights: Those of style are in `styles` already.
        start: (1, 3, H, W).
        mask: (H, W), 1 where colors may move.
        exact: As the program.
    """
    with torch.no_grad():
        features = layers.features(content, (CONTENT,))[CONTENT][0]
    places = features.shape[1] * features.shape[2]
    losses = [Weighted("content", CONTENT, Content(features, None, places), weights.content), *styles]
    if weights.smoothness:
        losses.append(Weighted("smoothness", PIXELS, Smoothness(last=False), weights.smoothness, told=0))
    if weights.photorealism:
        term = Photorealism(laplacian, layers.space)
        unit = float(laplacian.windows.sum()) * 3 * LEVEL**2
        losses.append(Weighted("photorealism", PIXELS, term, weights.photorealism, told=0, unit=unit))
    return LayeredObjective(layers, losses, start, mask, exact=exact)


def _targets(layers: Layers, regions: Sequence[Region], *, exact: bool) -> list[dict[str, Tensor]]:
    """Return each region's Gram matrices (C, C) by layer; styles that several regions share go through once."""
    features = dict[int, dict[str, Tensor]]()
    found: list[dict[str, Tensor]] = []
    for region in regions:
        key = id(region.style)
        if key not in features:
            features[key] = layers.features(region.style, STYLE)
        mask = region.style_mask
        mask = region.style.new_ones(region.style.shape[-2:]) if mask is None else mask
        masks = layer_masks(mask, layers.network, STYLE)
        found.append({name: _gram(features[key][name][0], masks[name], exact=exact) for name in STYLE})
    return found


def _gram(features: Tensor, mask: Tensor, *, exact: bool) -> Tensor:
    """Return (C, C), 0 where the mask has no place."""
    if not bool(mask.any()):
        return features.new_zeros(len(features), len(features))
    return masked_gram(features, mask) if exact else masked_gram(features, mask.sqrt(), total=mask.sum())
