"""Means over many pictures of whatever a model measures of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


class Means:
    """Running means by name, over pictures; processes add up. All batches must bring the same names."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}  # (2,): sum and count

    @property
    def names(self) -> list[str]:
        """What was measured so far, in a fixed order."""
        return sorted(self._sums)

    def add(self, values: Mapping[str, Tensor], *, pictures: int) -> None:
        """Add a batch: a value is (B,), one per picture and NaN for one that does not count, or () for all of them.

        With pictures=0 only the names are learnt.
        """
        for name, value in values.items():
            value = value.detach().to(torch.float32 if value.device.type == "mps" else torch.float64)
            counts = (~value.isnan()).to(value.dtype) * (1 if value.ndim else pictures)
            new = torch.stack(((value.nan_to_num() * counts).sum(), counts.sum())) * bool(pictures)
            self._sums[name] = self._sums[name] + new if name in self._sums else new

    def compute(self, reduce: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the means; NaN where no picture counted. reduce: sums a tensor over all processes."""
        if not self._sums:
            return {}
        sums, counts = reduce(torch.stack([self._sums[name] for name in self.names])).cpu().double().unbind(dim=1)
        return dict(zip(self.names, (sums / counts).tolist(), strict=True))
