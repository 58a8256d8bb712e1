"""Losses between statistics of one layer, and between neighboring pixels: a few lines each, unweighted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.style.gatys.moments import Moments
from inpaint.style.gatys.presets import Normalization, style_factor
from inpaint.style.gatys.roots import newton_schulz_root, root, trace_of_root

MomentLoss: TypeAlias = Callable[[Moments], Tensor]
"""From an image's statistics to a scalar; what they are compared with is bound to it."""

COVARIANCE_EPS = 1e-4
"""Added to the variances on both sides; crowsonkb/style-transfer-pytorch."""


def gram(own: Moments, target: Moments, *, normalization: Normalization) -> Tensor:
    """Return the squared difference of Gram matrices."""
    return (own.second - target.second).square().sum() * style_factor(normalization, len(own.mean))


def scaled_squares(own: Tensor, target: Tensor) -> Tensor:
    """Return sum d^2 / (sum |d| + 1e-8), whose gradient has an L1 norm of about 1 whatever the sizes."""
    off = own - target
    return off.square().sum() / (off.abs().sum() + 1e-8)


def spread(own: Moments, target: Moments) -> Tensor:
    """Return the mean squared differences of means and of standard deviations (Li et al., arXiv 1701.01036)."""
    deviations = [_variances(each).clamp_min(1e-10).sqrt() for each in (own, target)]
    return (own.mean - target.mean).square().mean() + (deviations[0] - deviations[1]).square().mean()


class Wasserstein:
    """The squared Wasserstein distance of normal distributions with the same means and covariances, per channel.

    Args:
        target: What is compared with.
        exact: Whether roots are those of 12 steps, as crowsonkb/style-transfer-pytorch has them; else they are roots.
    """

    def __init__(self, target: Moments, *, exact: bool = False) -> None:
        self.mean = target.mean
        self.exact = exact
        covariance = _padded(target.covariance)
        self.trace = covariance.diagonal().sum()
        self.root = newton_schulz_root(covariance) if exact else root(covariance)

    def __call__(self, own: Moments) -> Tensor:
        """Return the distance, a scalar."""
        covariance = _padded(own.covariance)
        product = self.root @ covariance @ self.root
        shared = newton_schulz_root(product).diagonal().sum() if self.exact else trace_of_root(product)
        apart = (self.trace + covariance.diagonal().sum() - 2 * shared) / len(self.mean)
        return (own.mean - self.mean).square().mean() + apart


def nine_points(colors: Tensor) -> Tensor:
    """Return the mean squared differences to eight neighbors, diagonal ones by a quarter (crowsonkb's total variation).

    Args:
        colors: (1, C, H, W).
    """
    right, down = colors.diff(dim=3).square().sum(), colors.diff(dim=2).square().sum()
    wide = F.pad(colors, (1, 1, 1, 1), mode="replicate")
    falling = (wide[..., 1:, 1:] - wide[..., :-1, :-1]).square().mean()
    rising = (wide[..., 1:, :-1] - wide[..., :-1, 1:]).square().mean()
    return 2 * ((right + down) / (3 * colors.numel()) + (falling + rising) / 12)


def absolute(colors: Tensor) -> Tensor:
    """Return the sum of absolute differences to the right and lower neighbors."""
    return colors.diff(dim=3).abs().sum() + colors.diff(dim=2).abs().sum()


def partial_squares(colors: Tensor) -> Tensor:
    """Return half the sum of squared differences but those within the last row and the last column (jcjohnson)."""
    right, down = colors.diff(dim=3)[..., :-1, :], colors.diff(dim=2)[..., :-1]
    return (right.square().sum() + down.square().sum()) / 2


def gram_to(target: Moments, normalization: Normalization) -> MomentLoss:
    """Return `gram` with its target."""
    return partial(gram, target=target, normalization=normalization)


def spread_to(target: Moments) -> MomentLoss:
    """Return `spread` with its target."""
    return partial(spread, target=target)


def _variances(moments: Moments) -> Tensor:
    return moments.second.diagonal() - moments.mean.square()


def _padded(covariance: Tensor) -> Tensor:
    return covariance + COVARIANCE_EPS * torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
