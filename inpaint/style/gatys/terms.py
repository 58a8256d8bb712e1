"""What is weighed: comparisons of features layer by layer, and of colors with each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from inpaint.losses.histogram import histogram_matched
from inpaint.nn.comparing import Comparison, mask_at
from inpaint.style.gatys.losses import MomentLoss, scaled_squares
from inpaint.style.gatys.moments import Moments, moment_sums


class ColorTerm(Protocol):
    """Any loss on the colors themselves: total variation, the distance to a warped frame."""

    def __call__(self, colors: Tensor) -> Tensor:
        """Return the unweighted loss, a scalar, of colors (1, 3, H, W) in the space that is optimized."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Weighted:
    """A loss with its weight.

    Args:
        name: For records.
        weight: Of its gradient.
        told: Of its value in the loss that is told; None: the same. Programs let them differ.
        color: What it computes of the colors; None where `comparison` computes it.
        comparison: What it computes of features.
    """

    name: str
    weight: float
    told: float | None = None
    color: Callable[[Tensor], Tensor] | None = None
    comparison: Comparison | None = None

    def part(self, value: Tensor) -> Tensor:
        """Return what an unweighted value adds to the loss."""
        own = self.weight * value
        return own if self.told is None else own + (self.told * value - own).detach()


@dataclass(frozen=True, eq=False)
class Content:
    """Squared difference of features from other features, of the same positions.

    Args:
        layer: Name.
        target: (1, C, h, w).
        factor: Of the sum of squares; None: the sum is divided by that of the absolute differences.
        unit: See `unit_gradient`.
    """

    layer: str
    target: Tensor
    factor: float | None
    unit: float | None = None

    def sums(self, features: Tensor, rows: slice) -> Tensor:
        """Return the sums of squared and of absolute differences (2,)."""
        off = unit_gradient(features, self.unit) - self.target[:, :, rows]
        off = off.float() if off.dtype == torch.bfloat16 else off
        squares = off.square().sum()
        return torch.stack([squares, squares.detach() if self.factor is not None else off.abs().sum()])

    def value(self, total: Tensor) -> Tensor:
        """Return the loss."""
        return total[0] * self.factor if self.factor is not None else total[0] / (total[1] + 1e-8)


@dataclass(frozen=True, eq=False)
class Style:
    """A loss on the statistics of some positions.

    Args:
        layer: Name.
        loss: Of the statistics.
        mask: (1, 1, H, W) at the image's size, by which positions are weighted; None: all count alike.
        unit: See `unit_gradient`.
    """

    layer: str
    loss: MomentLoss
    mask: Tensor | None = None
    unit: float | None = None

    def sums(self, features: Tensor, rows: slice) -> Tensor:
        """Return what statistics are made of."""
        return moment_sums(self.mask, unit_gradient(features, self.unit), rows, layer=self.layer)

    def value(self, total: Tensor) -> Tensor:
        """Return the loss."""
        return self.loss(Moments.of_sums(total))


@dataclass(frozen=True, eq=False)
class StyleHistogram:
    """Squared difference to the same features with the styles' histograms, held constant in the gradient.

    Of several styles the mean of what they are matched to is taken, value by value of the same rank. Needs all rows at
    once.

    Args:
        layer: Name.
        styles: Weight, features (1, C, h, w), and where they count (h, w) bool or None for everywhere; weights sum
            to 1.
        mask: (1, 1, H, W) at the image's size, of which the places that it covers by half take part; None: all.
        mean: Whether the mean over elements is meant, not the sum.
    """

    layer: str
    styles: Sequence[tuple[float, Tensor, Tensor | None]]
    mask: Tensor | None = None
    mean: bool = True

    def sums(self, features: Tensor, rows: slice) -> Tensor:
        """Return the sum of squares and the number of elements (2,)."""
        features = features.float() if features.dtype == torch.bfloat16 else features
        inside = None if self.mask is None else mask_at(self.mask, self.layer, rows)[0, 0] >= 0.5
        own = features.detach()
        matched = torch.zeros_like(own)
        for weight, style, where in self.styles:
            matched += weight * histogram_matched(own, style, mask=inside, style_mask=where)
        places = own[0, 0].numel() if inside is None else int(inside.sum())
        return torch.stack([(features - matched).square().sum(), own.new_tensor(float(own.shape[1] * places))])

    def value(self, total: Tensor) -> Tensor:
        """Return the loss."""
        return total[0] / total[1].clamp_min(1) if self.mean else total[0]


@dataclass(frozen=True, eq=False)
class ScaledGram:
    """The Gram matrices' difference by `scaled_squares`, as a loss on statistics."""

    target: Moments

    def __call__(self, own: Moments) -> Tensor:
        """Return the loss."""
        return scaled_squares(own.second, self.target.second)


def unit_gradient(features: Tensor, weight: float | None) -> Tensor:
    """Return the features; backward, what passes gets an L1 norm of `weight` (jcjohnson's normalize_gradients).

    Args:
        features: Of any shape.
        weight: That of the loss, which has multiplied the gradient; None: nothing is changed.
    """
    if weight is None:
        return features
    found: Tensor = _UnitGradient.apply(features, weight)
    return found


class _UnitGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *passing: Tensor) -> tuple[Tensor, None]:
        raw = passing[0] / ctx.weight
        return raw * (ctx.weight / (raw.abs().sum() + 1e-8)), None
