"""Features with the histograms of the painting's, channel by channel, as the method's program makes them: by 256 bins.

The features' ranks say which bin of the painting a value goes to, and where in the bin. Equal values keep the order of
their places; how that is chosen changes neither the loss nor the norm of its gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.optimize.layer_terms import LayerTerm, Pull

BINS = 256
SEEN = 0.1  # of a layer's mask, from where on a place has a part in the histogram


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often values occur in each channel of the painting.

    Args:
        counts: (C, BINS), for `values` values.
        low, step: (C, 1), the smallest value and the width of a bin.
        values: How many there were.
    """

    counts: Tensor
    low: Tensor
    step: Tensor
    values: int

    @classmethod
    def of(cls, values: Tensor) -> Histogram:
        """Count values (C, N), N > 0."""
        low, high = values.amin(dim=1, keepdim=True), values.amax(dim=1, keepdim=True)
        # Channels of one value alone: the bin in the middle of a range that is wide enough.
        alone = (high == low).to(values)
        first, last = low - alone, high + alone
        bins = ((values - first) / (last - first) * BINS).floor().long().clamp(0, BINS - 1)
        counts = torch.zeros(len(values), BINS, dtype=values.dtype, device=values.device)
        counts.scatter_add_(1, bins, torch.ones_like(values))
        return cls(counts, low, (high - low) / BINS, values.shape[1])

    def matched(self, values: Tensor) -> Tensor:
        """Return values (C, N) moved so that they are distributed like the painting's, without gradient."""
        values = values.detach()
        number = values.shape[1]
        counts = self.counts * (number / self.values)
        cumulative = counts.cumsum(dim=1)
        ranks = torch.arange(number, dtype=values.dtype, device=values.device).expand(len(values), -1).contiguous()
        bins = torch.searchsorted(cumulative, ranks, right=True).clamp_max(BINS - 1)
        count = counts.gather(1, bins)
        inside = ((ranks - cumulative.gather(1, bins) + count) / (count + 1e-8)).clamp(0, 1)
        by_rank = self.low + (bins + inside) * self.step
        order = values.argsort(dim=1, stable=True)
        return torch.empty_like(values).scatter_(1, order, by_rank)


@dataclass(frozen=True, eq=False)
class MatchedHistogram(LayerTerm):
    """Half the squared difference to the same features with the mapped painting's histograms, which are held constant.

    Args:
        histogram: Of the painting.
        mask: Of the image; places above SEEN take part.
    """

    histogram: Histogram
    mask: Tensor

    def pull(self, features: Tensor) -> Pull:
        """Compare features (C, h, w)."""
        inside = self.mask > SEEN
        own = features[:, inside]
        off = own - self.histogram.matched(own)
        gradient = torch.zeros_like(features)
        gradient[:, inside] = off
        return Pull(off.square().sum() / 2, gradient)
