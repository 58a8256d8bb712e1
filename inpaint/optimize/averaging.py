"""Averages over iterates: what a run returns is steadier than any single picture on its way."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Average:
    """An exponential average a <- d a + (1 - d) x of pictures, free of the bias of its start.

    total: the weighted sum since the first picture; weight: the sum of the weights, so that `value` is a true mean. A
    picture of another shape starts anew.
    """

    decay: float
    total: Tensor | None = None
    weight: Tensor | None = None

    def with_picture(self, picture: Tensor, *, valid: Tensor | None = None) -> Average:
        """Return the average with one more picture; where `valid` (0-dim bool) is False it stays what it was.

        Nothing is read back from an accelerator.
        """
        share = 1.0 - self.decay
        if self.total is None or self.weight is None or self.total.shape != picture.shape:
            total, weight = torch.zeros_like(picture), picture.new_zeros(())
        else:
            total, weight = self.total, self.weight
        grown = torch.lerp(total, picture, share)
        heavier = weight + share * (1.0 - weight)
        if valid is not None:
            grown, heavier = torch.where(valid, grown, total), torch.where(valid, heavier, weight)
        return Average(self.decay, grown, heavier)

    @property
    def value(self) -> Tensor | None:
        """The mean so far, None before the first picture."""
        if self.total is None or self.weight is None:
            return None
        # Not a number stays visible where no picture was valid: 0 / 0.
        return self.total / self.weight


class Moments:
    """Mean and standard deviation over pictures, one by one (Welford's recurrence)."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, picture: Tensor) -> None:
        """Take one more picture into account."""
        if self._mean is None or self._squares is None:
            self._mean, self._squares = torch.zeros_like(picture), torch.zeros_like(picture)
        self.count += 1
        step = picture - self._mean
        self._mean = self._mean + step / self.count
        self._squares = self._squares + step * (picture - self._mean)

    @property
    def mean(self) -> Tensor | None:
        """The mean, None before the first picture."""
        return self._mean

    @property
    def deviation(self) -> Tensor | None:
        """The standard deviation of the sample (divided by n - 1), None before the second picture."""
        return None if self._squares is None or self.count < 2 else (self._squares / (self.count - 1)).sqrt()
