"""Langevin dynamics: the noise that was asked for, and samples after the burn-in."""

import math

import pytest
import torch

from inpaint.optimize.base import Evaluation, StepInfo
from inpaint.optimize.langevin import Langevin, LangevinOptions
from inpaint.optimize.loop import LoopOptions, optimize
from inpaint.optimize.schedule import CooldownOptions
from quadratic import Quadratic


class Flat(Quadratic):
    def evaluate(self, step):
        return Evaluation(loss=(0 * self.x).sum(), image=self.x.detach().clone())


def test_the_noise_has_the_deviation_asked_for_and_gives_mean_and_deviation():
    problem = Flat()
    problem.x = torch.zeros(1, 3, 40, 50, requires_grad=True)
    langevin = LangevinOptions(noise=2.0, burn_in=0.0, sample_every=1)
    options = LoopOptions(iterations=2, lr=0.01, cooldown=CooldownOptions(share=0.0), langevin=langevin)
    result = optimize(problem, options, seed=4)
    assert result.image.std() == pytest.approx(0.02, rel=0.05)
    # Samples: zeros, then the noise; their mean is half of it, their deviation |noise| / sqrt(2).
    assert torch.allclose(result.best, result.image / 2)
    assert torch.allclose(result.deviation, result.image.abs() / math.sqrt(2), atol=1e-6)


def test_only_convolutions_are_perturbed_by_noise_of_seed_and_iteration():
    def perturbed(seed, iteration):
        weights, bias = torch.zeros(2, 3, 3, 3), torch.zeros(2)
        Langevin(LangevinOptions(), [weights, bias], seed=seed).perturb(
            StepInfo(iteration=iteration, progress=0.5), lr=0.1
        )
        assert not bias.any()
        return weights

    assert torch.equal(perturbed(1, 2), perturbed(1, 2))
    assert not torch.equal(perturbed(1, 2), perturbed(1, 3))
    assert not torch.equal(perturbed(1, 2), perturbed(2, 2))


def test_samples_are_taken_after_the_burn_in_at_their_distance():
    langevin = Langevin(LangevinOptions(burn_in=0.35, sample_every=20), [torch.zeros(1)], seed=0)
    for iteration in range(100):
        langevin.sample(StepInfo(iteration=iteration, progress=iteration / 100), torch.full((1,), float(iteration)))
    assert langevin.moments.count == 3
    assert langevin.moments.mean == 60
