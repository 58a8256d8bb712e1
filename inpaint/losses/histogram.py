"""Histogram matching of features, channel by channel, and the loss that draws features to what they are matched to.

Gram matrices fix the mean and the variance of features only together; matching their histograms fixes both, and keeps
images made by style losses from losing contrast (Risser, Wilmot, Barnes 2017, arXiv 1701.08893).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from inpaint.losses.base import at_least_float32
from inpaint.losses.features import FeatureTerm


class Histogram(FeatureTerm):
    """Mean squared difference between features and the same features with the histograms of the real image's.

    What they are matched to is held constant in the gradient. The means over all elements of the layers are added.
    """

    kind: Literal["histogram"] = "histogram"

    def layer_loss(self, generated: Tensor, real: Tensor) -> Tensor:
        """Return the mean over all elements."""
        generated = at_least_float32(generated)
        return (generated - histogram_matched(generated.detach(), at_least_float32(real))).square().mean()


def histogram_matched(
    features: Tensor, style: Tensor, *, mask: Tensor | None = None, style_mask: Tensor | None = None
) -> Tensor:
    """Return features whose values in each channel are replaced by the style's values of the same rank.

    The value of rank r among n becomes what stands at position (r + 1/2) m/n - 1/2 among the style's m sorted values,
    linear between two of them. Equal values are ranked in the order of their positions.

    Args:
        features: (B, C, H, W).
        style: (B, C, h, w), or (1, C, h, w) for all.
        mask: (H, W) bool; where it is False features stay and do not count. None: everywhere.
        style_mask: (h, w) bool, of the values that are taken. None: all.

    Returns:
        (B, C, H, W). The features themselves where nothing is selected on one of the sides.

    Example:
        >>> histogram_matched(torch.tensor([[[[3.0, 1.0, 2.0]]]]), torch.tensor([[[[10.0, 30.0, 20.0]]]])).tolist()
        [[[[30.0, 10.0, 20.0]]]]
    """
    values, given = features.flatten(2), style.flatten(2)  # (B, C, n), (B, C, m)
    if mask is not None:
        values = values[..., mask.flatten()]
    if style_mask is not None:
        given = given[..., style_mask.flatten()]
    count, available = values.shape[-1], given.shape[-1]
    if not count or not available:
        return features
    given = given.sort(dim=-1).values.expand(len(features), -1, -1)
    ranks = torch.arange(count, device=features.device, dtype=torch.float64)
    places = ((ranks + 0.5) * (available / count) - 0.5).clamp(0, available - 1)
    below = places.long().clamp_max(max(available - 2, 0))
    above = (below + 1).clamp_max(available - 1)
    wanted = torch.lerp(given[..., below], given[..., above], (places - below).to(given.dtype))
    matched = torch.empty_like(values).scatter_(-1, values.argsort(dim=-1, stable=True), wanted)
    if mask is None:
        return matched.view_as(features)
    answer = features.flatten(2).clone()
    answer[..., mask.flatten()] = matched
    return answer.view_as(features)
