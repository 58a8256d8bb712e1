"""Langevin dynamics: noise on the weights makes iterates samples (Cheng et al. 2019, arXiv 1904.07457)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from inpaint import seeds
from inpaint.optimize.averaging import RunningMoments
from inpaint.optimize.base import StepInfo
from inpaint.options import Options


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
