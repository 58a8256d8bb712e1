"""Averages over iterates: what a run returns is steadier than any single image on its way."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from inpaint.options import Options


class AveragingOptions(Options):
    """The exponential average of a run.

    Args:
        decay: Per iteration.
        start: Share of the run before it begins.
    """

    decay: float = Field(0.99, gt=0, lt=1)
    start: float = Field(0.1, ge=0, lt=1)


@dataclass(frozen=True)
class Average:
    """An exponential average a <- d a + (1 - d) x of images, free of the bias of its start.

    Args:
        decay: d.
        total: Weighted sum since the first image.
        weight: Sum of the weights, so that `value` is a true mean.
    """

    decay: float
    total: Tensor | None = None
    weight: Tensor | None = None

    def with_image(self, image: Tensor, *, valid: Tensor | None = None) -> Average:
        """Return the average with one more image; nothing is read back from an accelerator.

        Args:
            image: One of another shape starts anew.
            valid: 0-dim bool; where it is False the average stays what it was.
        """
        share = 1.0 - self.decay
        if self.total is None or self.weight is None or self.total.shape != image.shape:
            total, weight = torch.zeros_like(image), image.new_zeros(())
        else:
            total, weight = self.total, self.weight
        larger = torch.lerp(total, image, share)
        heavier = weight + share * (1.0 - weight)
        if valid is not None:
            larger, heavier = torch.where(valid, larger, total), torch.where(valid, heavier, weight)
        return Average(self.decay, larger, heavier)

    @property
    def value(self) -> Tensor | None:
        """The mean so far, None before the first image."""
        if self.total is None or self.weight is None:
            return None
        # Not a number stays visible where no image was valid: 0 / 0.
        return self.total / self.weight


class RunningMoments:
    """Mean and standard deviation over images, one by one (Welford's recurrence)."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, image: Tensor) -> None:
        """Take one more image into account."""
        if self._mean is None or self._squares is None:
            self._mean, self._squares = torch.zeros_like(image), torch.zeros_like(image)
        self.count += 1
        step = image - self._mean
        self._mean = self._mean + step / self.count
        self._squares = self._squares + step * (image - self._mean)

    @property
    def mean(self) -> Tensor | None:
        """The mean, None before the first image."""
        return self._mean

    @property
    def deviation(self) -> Tensor | None:
        """The standard deviation of the sample (divided by n - 1), None before the second image."""
        return None if self._squares is None or self.count < 2 else (self._squares / (self.count - 1)).sqrt()
