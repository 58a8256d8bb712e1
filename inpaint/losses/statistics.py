"""Means and deviations of features that a model takes itself, compared channel by channel."""

from __future__ import annotations

from functools import reduce
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from inpaint.losses.base import Record, RecordTerm, at_least_float32


class FeatureStatistics(RecordTerm):
    """Sum over pairs of entries of the mean squared difference of means and of deviations (AdaIN, arXiv 1703.06868).

    Eq. 13; entries are features (B, C, H, W), those of a pair with as many channels, of any sizes. A deviation is
    sqrt(variance + eps), the variance unbiased. For features of a network that the model does not have itself, see
    `statistics`.

    of: features of generated images. target: what they are compared with, in the same order.
    """

    kind: Literal["feature_statistics"] = "feature_statistics"
    of: tuple[str, ...]
    target: tuple[str, ...]
    eps: float = Field(1e-5, gt=0)

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if not self.of or len(self.of) != len(self.target):
            raise ValueError(f"of and target must name as many entries, got {len(self.of)} and {len(self.target)}")
        return self

    @property
    def entries(self) -> frozenset[str]:
        """All features."""
        return frozenset({*self.of, *self.target})

    def __call__(self, record: Record) -> Tensor:
        """Return the sum."""
        return reduce(
            torch.add,
            (self._pair(record[ours], record[theirs]) for ours, theirs in zip(self.of, self.target, strict=True)),
        )

    def _pair(self, ours: Tensor, theirs: Tensor) -> Tensor:
        pairs = zip(self._statistics(ours), self._statistics(theirs), strict=True)
        return reduce(torch.add, ((one - other).square().mean() for one, other in pairs))

    def _statistics(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and deviations, (B, C) each; a single position has a variance of 0."""
        rows = at_least_float32(features).flatten(2)
        variance = rows.var(dim=2, correction=min(rows.shape[2] - 1, 1))
        return rows.mean(dim=2), (variance + self.eps).sqrt()
