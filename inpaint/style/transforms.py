"""Features given the statistics of others: what makes a network paint in the style of any picture.

Four transforms, by what they make equal: mean and deviation of every channel (`adain`; Huang and Belongie, arXiv
1703.06868), or mean and covariance: by whitening and coloring (`wct`; Li et al., 1705.08086), by the linear map that
moves features least (`ot`, optimal transport; Lu et al., 1906.00668), or by the triangular one (`cholesky`). All are
affine maps of a position's features. They are found from moments, which are sums over positions: of regions, weighted,
and of images that are looked at strip by strip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.losses.base import at_least_float32
from inpaint.style.options import Transform

EPS = 1e-5  # added to variances by `adain`, as the public programs do
CUT = 1e-5  # eigenvalues of covariances below this are noise: left out, as the public programs do
AT_ONCE = 2**24  # values that are widened to float64 at once


class Moments(NamedTuple):
    """The statistics of features.

    mean: (..., C, 1). spread: variances (..., C, 1), or covariances (..., C, C); unbiased, 0 for a single position.
    """

    mean: Tensor
    spread: Tensor


class Affine(NamedTuple):
    """A map of features x (..., C, M) to matrix (x - before) + after.

    matrix: (..., C, C); or (..., C, 1), which multiplies channel by channel. before, after: (..., C, 1).
    """

    matrix: Tensor
    before: Tensor
    after: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Map features (..., C, M), in their own type."""
        matrix, before, after = (each.to(x) for each in self)
        centered = x - before
        return (matrix * centered if matrix.shape[-1] == 1 else matrix @ centered) + after


# Statistics -----------------------------------------------------------------------------------------------------------


class Sums(NamedTuple):
    """What moments are made of, for some positions; sums of different positions can be merged.

    total, squares: of the positions' weights and of their squares, (..., 1, 1). mean: (..., C, 1). products: of what is
    left of the features without their mean, by weight: of a channel with itself (..., C, 1), or of all (..., C, C).
    """

    total: Tensor
    squares: Tensor
    mean: Tensor
    products: Tensor

    def merged(self, other: Sums) -> Sums:
        """Return the sums of both (Chan, Golub and LeVeque 1979)."""
        total = self.total + other.total
        share = other.total / total.clamp_min(torch.finfo(total.dtype).tiny)  # neither may count at all
        apart = other.mean - self.mean
        between = apart.square() if self.products.shape[-1] == 1 else apart @ apart.mT
        products = self.products + other.products + self.total * share * between
        return Sums(total, self.squares + other.squares, self.mean + share * apart, products)

    def moments(self) -> Moments:
        """Return the statistics; sums of squares are divided by M - 1 for M positions that count alike."""
        degrees = self.total - self.squares / self.total
        return Moments(self.mean, self.products / torch.where(degrees > 1e-6, degrees, 1.0))


def sums(features: Tensor, weights: Tensor | None = None, *, covariance: bool) -> Sums:
    """Return what the moments of features (..., C, M) are made of; the arguments are those of `moments`."""
    if not covariance:
        return _sums(at_least_float32(features), weights, covariance=False)
    if features.device.type == "mps":  # has no float64
        features, weights = features.cpu(), None if weights is None else weights.cpu()
    step = max(AT_ONCE // (features.numel() // features.shape[-1]), 1)
    starts = range(0, features.shape[-1], step)
    parts = (slice(start, start + step) for start in starts)
    return reduce(
        Sums.merged,
        (
            _sums(features[..., part].double(), None if weights is None else weights[..., part], covariance=True)
            for part in parts
        ),
    )


def _sums(x: Tensor, weights: Tensor | None, *, covariance: bool) -> Sums:
    if weights is None:
        total = squares = x.new_full((*x.shape[:-2], 1, 1), x.shape[-1])
        mean = x.mean(dim=-1, keepdim=True)
        apart = x - mean
        weighed = apart
    else:
        share = weights.to(x).unsqueeze(-2)  # (..., 1, M)
        total, squares = share.sum(dim=-1, keepdim=True), share.square().sum(dim=-1, keepdim=True)
        mean = (share * x).sum(dim=-1, keepdim=True) / total.clamp_min(torch.finfo(x.dtype).tiny)
        apart = x - mean
        weighed = share * apart
    products = weighed @ apart.mT if covariance else (weighed * apart).sum(dim=-1, keepdim=True)
    return Sums(total, squares, mean, products)


def moments(features: Tensor, weights: Tensor | None = None, *, covariance: bool) -> Moments:
    """Return the statistics of features.

    Args:
        features: (..., C, M), M at least 1.
        weights: (..., M), not negative and not all 0: how much each position counts; None: all alike.
        covariance: Whether channels are compared with each other, in float64; else each has a variance of its own.
    """
    return sums(features, weights, covariance=covariance).moments()


# The transforms -------------------------------------------------------------------------------------------------------


def needs_covariance(kind: Transform) -> bool:
    """Return whether a transform is found from covariances."""
    return kind != "adain"


def affine(kind: Transform, content: Moments, style: Moments) -> Affine:
    """Return the map that gives features with the content's statistics those of the style.

    Directions in which the content does not differ (eigenvalues below `CUT`) become the style's mean by `wct`, and stay
    by `ot`.

    Args:
        kind: Which transform.
        content: Covariances if `needs_covariance`, else variances.
        style: Likewise.
    """
    if kind == "adain":
        matrix = ((style.spread + EPS) / (content.spread + EPS)).sqrt()
    elif kind == "cholesky":
        matrix = torch.linalg.solve_triangular(_triangle(content.spread).mT, _triangle(style.spread).mT, upper=True).mT
    elif kind == "wct":
        matrix = _power(style.spread, 0.5) @ _power(content.spread, -0.5)
    else:
        root, inverse = _power(content.spread, 0.5), _power(content.spread, -0.5)
        matrix = inverse @ _power(root @ style.spread @ root, 0.5, cut=CUT**2) @ inverse + _flat(content.spread)
    return Affine(matrix, content.mean, style.mean)


def _power(matrix: Tensor, exponent: float, *, cut: float = CUT) -> Tensor:
    """Return a power of symmetric matrices (..., C, C), from which directions with small eigenvalues are left out."""
    values, vectors = torch.linalg.eigh(matrix)
    kept = values >= cut
    powered = torch.where(kept, torch.where(kept, values, 1.0) ** exponent, 0.0)
    found: Tensor = (vectors * powered.unsqueeze(-2)) @ vectors.mT
    return found


def _flat(matrix: Tensor) -> Tensor:
    """Return the projection onto the directions with small eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    found: Tensor = (vectors * (values < CUT).to(vectors).unsqueeze(-2)) @ vectors.mT
    return found


def _triangle(matrix: Tensor) -> Tensor:
    """Return the lower triangular root of symmetric matrices, raised by `CUT` where directions are missing."""
    identity = CUT * torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    _, lacking = torch.linalg.cholesky_ex(matrix - identity)
    raised = matrix + 2 * identity  # above what rounding may make negative
    found: Tensor = torch.linalg.cholesky(torch.where((lacking > 0)[..., None, None], raised, matrix))
    return found


def adain(content: Tensor, style: Tensor) -> Tensor:
    """Return content features (B, C, H, W) with mean and deviation of style features (B, C, h, w) in every channel.

    Gradients pass. Deviations are sqrt(variance + 1e-5), the variance unbiased (paper eq. 8; the public program).

    Example:
        >>> content, style = torch.tensor([[[[0.0, 2.0]]]]), torch.tensor([[[[5.0, 15.0]]]])
        >>> [round(value) for value in adain(content, style).flatten().tolist()]
        [5, 15]
    """
    x = content.flatten(2)
    own, wanted = _of_channels(x), _of_channels(style.flatten(2))
    return affine("adain", own, wanted)(x).view_as(content)


def _of_channels(x: Tensor) -> Moments:
    """Return mean and variance of each channel of x (B, C, M), by an operator that graphs know for any M."""
    variance, mean = torch.var_mean(at_least_float32(x), dim=-1, correction=int(x.shape[-1] > 1), keepdim=True)
    return Moments(mean, variance)


# Several styles, and regions ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Region:
    """A style, and which positions of the content get it.

    Args:
        style: Its statistics, (C, ...).
        share: (H, W) in [0, 1], how much of what each position becomes is due to it; shares of several styles add up to
            1 where anything is to change.
        inside: (H, W), how much each position counts in the statistics of the content; None: all alike.
    """

    style: Moments
    share: Tensor
    inside: Tensor | None = None

    def weights(self) -> Tensor | None:
        """Return what positions count, (H W,); None: all alike, also where none counts at all."""
        return None if self.inside is None or not bool(self.inside.any()) else self.inside.flatten()


def maps(kind: Transform, features: Tensor, regions: Sequence[Region]) -> list[Affine]:
    """Return the map of each region of content features (C, H, W)."""
    x, covariance = features.flatten(1), needs_covariance(kind)
    return [affine(kind, moments(x, region.weights(), covariance=covariance), region.style) for region in regions]


def mixed(features: Tensor, found: Sequence[Affine], shares: Sequence[Tensor], *, strength: float) -> Tensor:
    """Return content features (C, H, W) moved by the map of each region.

    Args:
        features: Of the content, or of some rows of it.
        found: One map for each region.
        shares: (H, W) each, see `Region`; of the same rows.
        strength: From 0, the features as they are, to 1.
    """
    if strength == 0:
        return features
    x = features.flatten(1)
    change = torch.zeros_like(x)
    for each, share in zip(found, shares, strict=True):
        change += share.flatten().to(x) * (each(x) - x)
    return (x + strength * change).view_as(features)


def transformed(kind: Transform, features: Tensor, regions: Sequence[Region], *, strength: float = 1.0) -> Tensor:
    """Return content features (C, H, W) with the statistics of styles, each in its region.

    Args:
        kind: Which transform.
        features: Of the content.
        regions: See `Region`.
        strength: From 0, the features as they are, to 1.
    """
    if strength == 0:
        return features
    shares = [region.share for region in regions]
    return mixed(features, maps(kind, features, regions), shares, strength=strength)


def on_grid(plane: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a mask (H, W) on the grid of features (h, w): the share of each position's pixels that it covers."""
    return F.adaptive_avg_pool2d(plane[None, None].float(), size)[0, 0]
