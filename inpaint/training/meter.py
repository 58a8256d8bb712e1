"""Running means of what is logged, gathered without waiting for the accelerator."""

from __future__ import annotations

import torch
from torch import Tensor


class Meter:
    """Sums values on their device between two log lines, so that logging never waits for the accelerator."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[Tensor, Tensor | int]] = {}  # name -> sum, count
        self._not_finite: dict[str, Tensor] = {}  # name -> first bad iteration, -1 = none

    def add(self, name: str, value: Tensor, *, if_finite: bool = False) -> None:
        """Add one value to a running mean; with `if_finite`, one that is not is left out. A mean of nothing is NaN."""
        exact = torch.float32 if value.device.type == "mps" else torch.float64
        total, count = self._sums.get(name, (torch.zeros((), dtype=exact, device=value.device), 0))
        if if_finite:
            finite = value.isfinite()
            self._sums[name] = total + torch.where(finite, value, 0.0).to(exact), count + finite
        else:
            self._sums[name] = total + value.to(exact), count + 1

    def watch(self, name: str, value: Tensor, iteration: int) -> None:
        """Remember the first iteration in which the value was not finite."""
        first = self._not_finite.get(name, torch.full((), -1, dtype=torch.int64, device=value.device))
        self._not_finite[name] = torch.where((first < 0) & ~value.isfinite(), iteration, first)

    def first_not_finite(self) -> tuple[str, int] | None:
        """Return the earliest loss that was not finite and its iteration."""
        bad = {name: int(first) for name, first in self._not_finite.items()}
        bad = {name: first for name, first in bad.items() if first >= 0}
        return min(bad.items(), key=lambda item: item[1]) if bad else None

    def means(self) -> dict[str, Tensor]:
        """Return the means since the last call and start anew."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._sums.clear()
        return means
