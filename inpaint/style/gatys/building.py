"""The losses of our own form, made of options and a canvas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from inpaint.nn.comparing import eroded, features_of, mask_at
from inpaint.nn.features import normalized_for
from inpaint.nn.vgg import CAFFE_FILES, TORCHVISION_GAIN, VGG
from inpaint.style.gatys.canvas import Canvas, Region
from inpaint.style.gatys.losses import MomentLoss, Wasserstein, gram_to, nine_points, spread_to
from inpaint.style.gatys.moments import Moments, moments
from inpaint.style.gatys.options import GatysOptions
from inpaint.style.gatys.presets import content_factor
from inpaint.style.gatys.terms import Content, Style, StyleHistogram, Weighted


def losses_of(network: VGG, options: GatysOptions, canvas: Canvas, *, histogram: bool = True) -> list[Weighted]:
    """Return what is weighed.

    Statistics of each region are compared with those of its styles, or with some between the content's own and those,
    by `strength`; a region counts by its area, so that its pixels are drawn as strongly as those of others.

    Args:
        network: Frozen, in its place.
        options: Weights and layers.
        canvas: Contents and styles.
        histogram: Whether histograms are compared, which needs all rows of features at once.
    """
    gain = 1.0 if network.name in CAFFE_FILES else TORCHVISION_GAIN
    losses = _contents(network, options, canvas, gain)
    for number, region in enumerate(canvas.regions):
        place = f"_{number + 1}" if len(canvas.regions) > 1 else ""
        losses += _styles(network, options, canvas, region, place, gain)
        if histogram and options.histogram:
            losses += _histograms(network, options, canvas, region, place, gain)
    if options.tv:
        losses.append(Weighted(name="tv", weight=options.tv * options.strength, color=nine_points))
    return losses


def _contents(network: VGG, options: GatysOptions, canvas: Canvas, gain: float) -> list[Weighted]:
    factors = {layer: factor for layer, factor in options.factors("content_layers").items() if factor}
    weight = options.content_weight * gain**2
    if not weight:
        return []
    targets = features_of(network, shown(network, canvas.content), list(factors))
    losses = []
    for layer, target in targets.items():
        factor = content_factor(options.normalization, target.shape[1], target.shape[2] * target.shape[3])
        losses.append(
            Weighted(name=f"content_{layer}", weight=weight * factors[layer], comparison=Content(layer, target, factor))
        )
    return losses


def _styles(
    network: VGG, options: GatysOptions, canvas: Canvas, region: Region, place: str, gain: float
) -> list[Weighted]:
    factors = {layer: factor for layer, factor in options.factors("style_layers").items() if factor}
    targets = mixed_targets(network, options, canvas, region, list(factors))
    losses = []
    shares = _masks(network, options, region.share, list(factors))
    for layer, target in targets.items():
        weight = factors[layer] * region.area
        kinds: list[tuple[str, float, Callable[[], MomentLoss]]] = [
            ("gram", options.gram_weight(layer) * gain**4, partial(gram_to, target, options.normalization)),
            ("covariance", options.covariance * gain**2, partial(Wasserstein, target)),
            ("moments", options.moments * gain**2, partial(spread_to, target)),
        ]
        for kind, own, make in kinds:
            if own:
                comparison = Style(layer, make(), shares[layer])
                losses.append(Weighted(name=f"{kind}{place}_{layer}", weight=own * weight, comparison=comparison))
    return losses


def mixed_targets(
    network: VGG, options: GatysOptions, canvas: Canvas, region: Region, layers: list[str]
) -> Mapping[str, Moments]:
    """Return the statistics that a region is to have, by layer."""
    strength = options.strength
    sources: list[tuple[float, Mapping[str, Moments]]] = []
    for style in region.styles:
        masks = _masks(network, options, style.mask, layers)
        sources.append((strength * style.weight, moments(network, shown(network, style.image), layers, masks)))
    if strength < 1:
        masks = _masks(network, options, region.share, layers)
        own = moments(network, shown(network, canvas.content), layers, masks)
        sources.append((1 - strength, own))
    return {layer: Moments.mixed([(weight, found[layer]) for weight, found in sources]) for layer in layers}


def _histograms(
    network: VGG, options: GatysOptions, canvas: Canvas, region: Region, place: str, gain: float
) -> list[Weighted]:
    factors = {layer: factor for layer, factor in options.factors("histogram_layers").items() if factor}
    layers, strength = list(factors), options.strength
    sources = [(strength * style.weight, style.image, style.mask) for style in region.styles]
    if strength < 1:
        sources.append((1 - strength, canvas.content, region.share))
    found: dict[str, list[tuple[float, Tensor, Tensor | None]]] = {layer: [] for layer in layers}
    for weight, image, whole in sources:
        masks = _masks(network, options, whole, layers)
        for layer, features in features_of(network, shown(network, image), layers).items():
            where, mask = None, masks[layer]
            if mask is not None:
                share = mask_at(mask, layer, slice(0, features.shape[2]))[0, 0]
                where = share >= min(0.5, float(share.max()))
            wide = features.float() if features.dtype == torch.bfloat16 else features
            found[layer].append((weight, wide, where))
    shares = _masks(network, options, region.share, layers)
    return [
        Weighted(
            name=f"histogram{place}_{layer}",
            weight=options.histogram * gain**2 * factors[layer] * region.area,
            comparison=StyleHistogram(layer, styles, shares[layer]),
        )
        for layer, styles in found.items()
    ]


def _masks(
    network: VGG, options: GatysOptions, mask: Tensor | None, layers: Sequence[str]
) -> Mapping[str, Tensor | None]:
    """Return the mask (1, 1, H, W) by which positions of each layer count; None: all alike."""
    if mask is None or not options.erode:
        return dict.fromkeys(layers, mask)
    return {layer: eroded(mask, network.name, layer) for layer in layers}


def shown(network: VGG, images: Tensor) -> Tensor:
    """Return images (1, 3, H, W) in [0, 1] as a network wants them, in its precision."""
    return normalized_for(network.name, images).to(next(network.parameters()).dtype)
