"""Probabilistic context normalization: features of a hole get the statistics of what is known (VCNet, 2003.06816).

With the hole u in [0, 1], k = 1 - u, and for each image and channel the means m and deviations d of both regions,
weighted by u and k:

    T = (x - m_u) / d_u * d_k + m_k
    PCN(x) = u (r T + (1 - r) x) + k x

r is a number, or found for each channel by squeeze and excitation. d_k / d_u is at most `LARGEST_GAIN` here: a hole
that is nearly flat, such as the few pixels of a thin letter at an eighth of the size, would be amplified a hundredfold
in every layer, and trainings diverge. In the public programs nothing bounds it, variances are sums over all places,
also where u is 0; and where a mask is soft they differ further, see `Statistics`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self, TypeAlias

import torch
from torch import Tensor, nn

from inpaint.nn.plain import HasPlainForm

EPS = 1e-5
LARGEST_GAIN = 10.0

Statistics: TypeAlias = Literal["weighted", "authors", "xyfjason"]
"""weighted: as above. authors: of x u and x k, whose variances are taken over all places; T and the mixture with it
read x u, too, so that what a soft mask covers is multiplied by it twice. xyfjason: of x u^2 and x k^2, over all places
as well; T reads x u, the mixture x."""


class Regions(NamedTuple):
    """A mask at one size, and how much it covers.

    hole: (B, 1, H, W) in [0, 1]. area: (B, 2, 1), sums of hole and of known places, in float32 at least.
    """

    hole: Tensor
    area: Tensor

    @classmethod
    def of(cls, hole: Tensor) -> Self:
        """Measure a mask (B, 1, H, W)."""
        covered = _exact(hole).sum(dim=(1, 2, 3))  # (B,)
        known = hole.shape[-2] * hole.shape[-1] - covered
        return cls(hole, torch.stack((covered, known), dim=1)[..., None])

    def halved(self) -> Regions:
        """Return every second row and column, from the first."""
        return Regions.of(self.hole[..., ::2, ::2])


def _exact(x: Tensor) -> Tensor:
    """Return x in float32, or in float64 if it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class ContextNorm(HasPlainForm):
    """Moves features of the hole to the statistics of the known region.

    Args:
        channels: Of the features.
        balance: r; None: found by squeeze and excitation.
        reduction: Of squeeze and excitation.
        statistics: See `Statistics`.
    """

    def __init__(
        self, channels: int, *, balance: float | None = None, reduction: int = 8, statistics: Statistics = "weighted"
    ) -> None:
        super().__init__()
        self.balance, self.statistics = balance, statistics
        self.power = 2 if statistics == "xyfjason" else 1  # of u and k in what is summed up
        self.excitation: nn.Sequential | None = None
        if balance is None:
            inner = max(channels // reduction, 1)
            self.excitation = nn.Sequential(
                nn.Conv2d(channels, inner, 1), nn.ReLU(), nn.Conv2d(inner, channels, 1), nn.Sigmoid()
            )

    def forward(self, x: Tensor, regions: Regions) -> Tensor:
        """Normalize x (B, C, H, W) by the mask at its size; in float32 at least, since deviations may be tiny."""
        with torch.autocast(x.device.type, enabled=False):
            normalized = (self._plain if self.plain else self._fused)(_exact(x), regions)
        return normalized.to(x.dtype)

    def extra_repr(self) -> str:
        """Return balance and statistics."""
        return f"balance={self.balance}, statistics={self.statistics}"

    def _share(self, mean: Tensor) -> Tensor | float:
        """Return r, (B, C, 1, 1) or a number, from means (B, C, 1, 1)."""
        if self.excitation is None:
            return 1.0 if self.balance is None else self.balance
        weight = next(self.excitation.parameters())
        share: Tensor = self.excitation(mean.to(weight.dtype))
        return share.to(mean.dtype)

    def _areas(self, regions: Regions) -> Tensor:
        """Return what sums are divided by, (B, 2, 1)."""
        return regions.area + EPS if self.statistics == "xyfjason" else regions.area.clamp_min(EPS)

    def _deviation(self, variance: Tensor, *, known: bool) -> Tensor:
        """Return the root; the authors' program adds nothing to the known variance."""
        return (variance if known and self.statistics == "authors" else variance + EPS).sqrt()

    def _gain(self, known: Tensor, hole: Tensor) -> Tensor:
        """Return the ratio of the deviations."""
        gain = known / hole
        return gain.clamp(max=LARGEST_GAIN) if self.statistics == "weighted" else gain

    def _fused(self, x: Tensor, regions: Regions) -> Tensor:
        """Compute x a + b for the hole, from moments that matrix products sum up."""
        weighted, places, areas = self.statistics == "weighted", x.shape[-2] * x.shape[-1], self._areas(regions)
        u = regions.hole.to(x.dtype).flatten(1)  # (B, H W)
        weights = torch.stack((u**self.power, (1 - u) ** self.power), dim=1)  # (B, 2, H W)
        rows = x.permute(0, 2, 3, 1).flatten(1, 2)  # (B, H W, C), where it lies if channels are last
        sums = weights @ rows  # (B, 2, C)
        squares = (weights if weighted else weights.square()) @ rows.square()
        means = sums / areas
        if weighted:
            variances = squares / areas - means.square()
        else:  # sum over all places of (x w - mean)^2
            variances = (squares - 2 * means * sums + places * means.square()) / areas
        hole, known = (_of_channels(variance) for variance in variances.clamp_min(0).unbind(dim=1))
        mean_hole, mean_known = (_of_channels(mean) for mean in means.unbind(dim=1))
        scale = self._gain(self._deviation(known, known=True), self._deviation(hole, known=False))
        r = self._share(_of_channels(rows.mean(dim=1) if self.power > 1 else sums.sum(dim=1) / places))
        return self._mixed(x, regions.hole.to(x.dtype), r, scale, mean_known - mean_hole * scale)

    def _mixed(self, x: Tensor, u: Tensor, r: Tensor | float, scale: Tensor, shift: Tensor) -> Tensor:
        """Return u (r (x scale + shift) + (1 - r) x) + k x, with x u in place of some x in the programs' forms."""
        moved, kept, base = r * scale, torch.as_tensor(1 - r, dtype=x.dtype, device=x.device), r * shift
        if self.statistics == "xyfjason":
            inside = torch.addcmul(torch.addcmul(base, x * u, moved), x, kept)
        else:
            inside = torch.addcmul(base, x * u if self.statistics == "authors" else x, moved + kept)
        return torch.lerp(x, inside, u)

    def _plain(self, x: Tensor, regions: Regions) -> Tensor:
        """Compute it step by step."""
        u = regions.hole.to(x.dtype)
        k = 1 - u
        areas = [area[:, None, None].to(x.dtype) for area in self._areas(regions).unbind(dim=1)]  # (B, 1, 1, 1) each
        means, deviations = [], []
        for part, area, known in ((u, areas[0], False), (k, areas[1], True)):
            weighted = x * part**self.power
            mean = weighted.sum((2, 3), keepdim=True) / area
            apart = part * (x - mean).square() if self.statistics == "weighted" else (weighted - mean).square()
            means.append(mean)
            deviations.append(self._deviation(apart.sum((2, 3), keepdim=True) / area, known=known))
        covered = x if self.statistics == "weighted" else x * u
        moved = (covered - means[0]) * self._gain(deviations[1], deviations[0]) + means[1]
        r = self._share(x.mean((2, 3), keepdim=True))
        mixed: Tensor = (r * moved + (1 - r) * (covered if self.statistics == "authors" else x)) * u + x * k
        return mixed


def _of_channels(x: Tensor) -> Tensor:
    """Return (B, C) as (B, C, 1, 1)."""
    return x[..., None, None]
