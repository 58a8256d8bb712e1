"""Kullback-Leibler divergence of Gaussians, for latent variables."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from inpaint.losses.base import Record, RecordTerm, at_least_float32


class KLDivergence(RecordTerm):
    """Mean over all elements of the divergence between two diagonal Gaussians of the record.

    of: P reads `P_mu` and `P_sigma` (a standard deviation, not a variance). against: the other one, likewise; null is
    the standard normal. Shapes broadcast. first: which stands first, KL(against || of) or KL(of || against).
    Pluralistic's paper (arXiv 1903.04227, eq. 5) puts the posterior first where its program puts it last; the program's
    order punishes narrow posteriors harder. detach: whose parameters get no gradient.
    """

    kind: Literal["kl"] = "kl"
    of: str
    against: str | None = None
    first: Literal["against", "of"] = "against"
    detach: Literal["none", "of", "against"] = "none"

    @property
    def entries(self) -> frozenset[str]:
        """Means and deviations."""
        return frozenset(f"{name}_{part}" for name in (self.of, self.against) if name for part in ("mu", "sigma"))

    def __call__(self, record: Record) -> Tensor:
        """Return the mean divergence."""
        own = _gaussian(record, self.of, detached=self.detach == "of")
        if self.against is None:
            other = torch.zeros_like(own[0]), torch.ones_like(own[1])
        else:
            other = _gaussian(record, self.against, detached=self.detach == "against")
        first, second = (other, own) if self.first == "against" else (own, other)
        return kl_divergence(*first, *second).mean()


def kl_divergence(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Return KL(N(a, b^2) || N(c, d^2)) = ln(d / b) + (b^2 + (a - c)^2) / (2 d^2) - 1/2, elementwise."""
    return d.log() - b.log() + ((b / d).square() + ((a - c) / d).square() - 1) / 2


def _gaussian(record: Record, name: str, *, detached: bool) -> tuple[Tensor, Tensor]:
    mean, deviation = (at_least_float32(record[f"{name}_{part}"]) for part in ("mu", "sigma"))
    return (mean.detach(), deviation.detach()) if detached else (mean, deviation)
