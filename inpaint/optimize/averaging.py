"""Averages over iterates, steadier than any single image on the way; and noise that makes iterates samples.

Langevin dynamics adds noise to the weights (Cheng et al. 2019, arXiv 1904.07457).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from inpaint import seeds
from inpaint.optimize.base import StepInfo
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

    @classmethod
    def of(cls, value: Tensor, *, decay: float, count: int) -> Average:
        """Return the average that has a value after so many images."""
        weight = value.new_tensor(1 - decay**count)
        return cls(decay, value * weight, weight)

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
    """Mean and standard deviation over images, one by one (Welford's recurrence); `mean` is None before the first."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, image: Tensor) -> None:
        """Take one more image into account."""
        if self.mean is None or self._squares is None:
            self.mean, self._squares = torch.zeros_like(image), torch.zeros_like(image)
        self.count += 1
        step = image - self.mean
        self.mean = self.mean + step / self.count
        self._squares = self._squares + step * (image - self.mean)

    @property
    def deviation(self) -> Tensor | None:
        """The standard deviation of the sample (divided by n - 1), None before the second image."""
        return None if self._squares is None or self.count < 2 else (self._squares / (self.count - 1)).sqrt()


class LangevinOptions(Options):
    """Noise after every step, and when its iterates are samples.

    Args:
        noise: Standard deviation, in learning rates.
        burn_in: Share of the run before samples are taken.
        sample_every: Iterations between samples.
    """

    noise: float = Field(2.0, gt=0)
    burn_in: float = Field(0.35, ge=0, lt=1)
    sample_every: int = Field(50, ge=1)


class Langevin:
    """The noise of one run, and mean and deviation of its samples in `moments`."""

    def __init__(self, options: LangevinOptions, parameters: Sequence[Tensor], *, seed: int) -> None:
        self.options = options
        self.seed = seed
        self.moments = RunningMoments()
        self._device = parameters[0].device
        self._weights = [parameter for parameter in parameters if parameter.ndim == 4]  # of convolutions

    @torch.no_grad()
    def perturb(self, step: StepInfo, *, lr: float) -> None:
        """Add noise to the weights of every convolution."""
        draw = torch.Generator(self._device).manual_seed(seeds.integer(self.seed, seeds.LANGEVIN, step.iteration))
        for weight in self._weights:
            noise = torch.randn(weight.shape, generator=draw, device=weight.device, dtype=weight.dtype)
            weight.add_(noise, alpha=self.options.noise * lr)

    def sample(self, step: StepInfo, image: Tensor) -> None:
        """Take the image as a sample where one is due."""
        if step.progress >= self.options.burn_in and step.iteration % self.options.sample_every == 0:
            self.moments.add(image)
