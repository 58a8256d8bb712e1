"""Averages over images, against NumPy."""

import numpy as np
import torch

from inpaint.optimize.averaging import Average, RunningMoments


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
