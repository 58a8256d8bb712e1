"""Statistics of features that are means over positions: of channels and of their products, in all places or some."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from inpaint.nn.comparing import mask_at, network_sums
from inpaint.nn.vgg import VGG


@dataclass(frozen=True)
class Moments:
    """Of one layer.

    Args:
        mean: (C,).
        second: (C, C), means of products: F F^T / M, the Gram matrix per position.
    """

    mean: Tensor
    second: Tensor

    @classmethod
    def of_sums(cls, total: Tensor) -> Moments:
        """Make them of what `moment_sums` added up, (C^2 + C + 1,)."""
        channels = (4 * len(total) - 3) ** 0.5 / 2 - 0.5
        count = round(channels)
        means = total[:-1] / total[-1].clamp_min(torch.finfo(total.dtype).tiny)
        return cls(means[count * count :], means[: count * count].view(count, count))

    @classmethod
    def mixed(cls, weighted: Sequence[tuple[float, Moments]]) -> Moments:
        """Return weighted means; weights sum to 1."""
        return cls(
            torch.stack([weight * each.mean for weight, each in weighted]).sum(dim=0),
            torch.stack([weight * each.second for weight, each in weighted]).sum(dim=0),
        )

    @cached_property
    def covariance(self) -> Tensor:
        """(C, C)."""
        return self.second - torch.outer(self.mean, self.mean)


def moment_sums(mask: Tensor | None, features: Tensor, rows: slice, *, layer: str) -> Tensor:
    """Return what is added up over rows: products of channels, channels, and positions (C^2 + C + 1,).

    Args:
        mask: (1, 1, H, W) at the image's size, by which positions are weighted; None: all count alike.
        features: (1, C, h, w), some rows of a layer.
        rows: Which ones.
        layer: Name.
    """
    weight = None if mask is None else mask_at(mask.to(features), layer, rows).flatten()
    found: Tensor = _MomentSums.apply(features, weight)
    return found


class _MomentSums(torch.autograd.Function):
    """The sums, of which the gradient is one product of matrices: those of channels are symmetric.

    Half precision is added up in float32; its gradient, which is rounded anyway, is computed in half precision.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor | None) -> Tensor:
        rows = _rows(features)
        ctx.save_for_backward(features, weight)
        wide = rows.float() if rows.dtype == torch.bfloat16 else rows
        if weight is None:
            weighted, count = wide, wide.new_full((1,), float(len(wide)))
        else:
            weighted = wide * weight.to(wide)[:, None]
            count = weight.to(wide).sum().view(1)
        return torch.cat([(wide.T @ weighted).flatten(), weighted.sum(dim=0), count])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *passing: Tensor) -> tuple[Tensor, None]:
        features, weight = ctx.saved_tensors
        _, channels, height, width = features.shape
        products = passing[0][: channels**2].view(channels, channels)
        both = (products + products.T).to(features)
        gradient = torch.addmm(passing[0][channels**2 : -1].to(features), _rows(features), both)
        if weight is not None:
            gradient *= weight[:, None]
        return gradient.view(1, height, width, channels).permute(0, 3, 1, 2), None


def _rows(features: Tensor) -> Tensor:
    """Return features (1, C, h, w) as (h w, C), which is no copy where the channels of a place lie together."""
    return features[0].permute(1, 2, 0).reshape(-1, features.shape[1])


def moments(
    network: VGG, shown: Tensor, layers: Collection[str], masks: Mapping[str, Tensor | None] | None = None
) -> dict[str, Moments]:
    """Return the moments of an image by layer, without gradient.

    Args:
        network: Frozen.
        shown: (1, 3, H, W), normalized as the network wants it.
        layers: Names.
        masks: (1, 1, H, W) by layer, by which positions are weighted; None: all count alike.
    """
    with torch.no_grad():
        masks = masks or dict.fromkeys(layers)
        sums = network_sums(network, shown, {each: partial(moment_sums, masks[each], layer=each) for each in layers})
        return {layer: Moments.of_sums(total) for layer, total in sums.items()}
