"""Averages over images, against NumPy."""

import math

import numpy as np
import pytest
import torch

from inpaint.optimize.averaging import Average, Langevin, LangevinOptions, RunningMoments
from inpaint.optimize.base import Evaluation, StepInfo
from inpaint.optimize.loop import LoopOptions, optimize
from inpaint.optimize.schedule import CooldownOptions
from quadratic import Quadratic


def test_the_average_is_a_weighted_mean_without_the_bias_of_its_start():
    rng = np.random.default_rng(0)
    images = [rng.random((1, 3, 4, 5)) for _ in range(30)]
    average = Average(0.9)
    for number, image in enumerate(images, start=1):
        average = average.with_image(torch.from_numpy(image))
        weights = 0.9 ** np.arange(number - 1, -1, -1)
        expected = sum(w * p for w, p in zip(weights, images, strict=False)) / weights.sum()
        assert np.allclose(average.value.numpy(), expected, rtol=1e-12)


def test_an_image_that_is_not_valid_does_not_enter_the_average():
    average = Average(0.9).with_image(torch.full((1, 1, 2, 2), 3.0))
    bad = average.with_image(torch.full((1, 1, 2, 2), float("nan")), valid=torch.tensor(False))
    assert torch.equal(bad.value, average.value)
    assert torch.allclose(average.with_image(torch.ones(1, 1, 4, 4)).value, torch.ones(1, 1, 4, 4))


def test_running_moments_are_those_of_numpy():
    images = np.random.default_rng(1).normal(5, 2, (9, 1, 1, 3, 4))
    moments = RunningMoments()
    for image in images:
        moments.add(torch.from_numpy(image))
    assert np.allclose(moments.mean, images.mean(axis=0), rtol=1e-12)
    assert np.allclose(moments.deviation, images.std(axis=0, ddof=1), rtol=1e-12)


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
