"""Early stopping: variances against NumPy, and stops at the right place on courses made for it."""

import numpy as np
import pytest
import torch

from inpaint.optimize.averaging import AveragingOptions
from inpaint.optimize.base import Evaluation
from inpaint.optimize.loop import LoopOptions, optimize
from inpaint.optimize.schedule import CooldownOptions
from inpaint.optimize.stopping import CHECK_EVERY, HoldOut, MovingVariance, WindowVariance


def course(count, shape=(1, 3, 6, 5), seed=0):
    """Outputs that come to rest around the middle and get restless again, as a prior does on a noisy photo."""
    rng = np.random.default_rng(seed)
    t = np.arange(count) / count
    unrest = 0.02 + (t - 0.5) ** 2
    return [torch.from_numpy(0.5 + u * rng.standard_normal(shape)).float() for u in unrest]


def test_the_windows_variance_is_numpys_at_every_step():
    stopper, images = WindowVariance(window=20, patience=10_000), course(130)
    for number, image in enumerate(images, start=1):
        stopper.update(number, image, None)
        if number < 20:
            assert stopper.variance is None
            continue
        window = np.stack([each.double().numpy() for each in images[number - 20 : number]])
        assert float(stopper.variance) == pytest.approx(window.var(axis=0).mean(), rel=1e-5)


def test_the_windows_memory_is_bounded():
    stopper = WindowVariance(window=10, limit_bytes=10 * 4 * 3 * 16 * 16)
    for number, image in enumerate(course(12, shape=(1, 3, 64, 64)), start=1):
        stopper.update(number, image, None)
    assert stopper.factor == 4
    assert stopper._ring.numel() * 4 <= stopper.limit_bytes


def test_the_moving_variance_follows_its_formula():
    stopper, images = MovingVariance(patience=10_000, step=0.1), course(40)
    mean, variance = images[0].double().numpy(), 0.0
    stopper.update(1, images[0], None)
    for number, image in enumerate(images[1:], start=2):
        stopper.update(number, image, None)
        off = image.double().numpy() - mean
        mean = mean + 0.1 * off
        variance = 0.9 * (variance + 0.1 * (off**2).sum())
        assert float(stopper.variance) == pytest.approx(variance, rel=1e-5)


@pytest.mark.parametrize("stopper", [MovingVariance(patience=60, start=20), WindowVariance(window=30, patience=60)])
def test_the_stop_is_where_the_output_rested(stopper):
    stopped = None
    for number, image in enumerate(course(400), start=1):
        if stopper.update(number, image, torch.full((1, 3, 6, 5), float(number))):
            stopped = number
            break
    assert 170 <= stopper.best_iteration <= 245
    assert stopped is not None
    assert 60 <= stopped - stopper.best_iteration <= 60 + CHECK_EVERY
    assert float(stopper.best.mean()) == stopper.best_iteration


def test_the_hold_out_stops_when_known_pixels_come_no_closer():
    error = HoldOut(lambda average: (average - 1).square().mean(), patience=20, start=30)
    values = [min(number / 100, 1.0) for number in range(1, 300)]
    stops = [
        error.update(number, None, torch.full((1, 3, 2, 2), value)) for number, value in enumerate(values, start=1)
    ]
    assert stops.index(True) + 1 == 120
    assert error.best is None


def test_a_hold_out_that_cannot_be_told_decides_nothing():
    stopper = HoldOut(lambda average: None, patience=1)
    assert not any(stopper.update(number, None, torch.ones(1, 3, 2, 2)) for number in range(1, 50))


class Wandering:
    """A course made beforehand, wrapped as an objective."""

    def __init__(self, images):
        self.images, self.x = images, torch.zeros(1, requires_grad=True)

    def parameters(self):
        return [self.x]

    def evaluate(self, step):
        return Evaluation(loss=self.x.sum(), image=self.images[step.iteration])


def test_a_run_that_is_stopped_returns_the_average_of_the_best_moment():
    options = LoopOptions(iterations=400, cooldown=CooldownOptions(share=0.0), averaging=AveragingOptions(start=0.0))
    stopper = MovingVariance(patience=60, start=20)
    result = optimize(Wandering(course(400)), options, stopper=stopper)
    assert result.reason == "stopped early"
    assert result.iterations < 320
    assert torch.equal(result.best, stopper.best)
    assert not torch.equal(result.best, result.average)


def test_after_an_early_stop_a_run_cools_down():
    options = LoopOptions(iterations=400, cooldown=CooldownOptions(share=0.1), averaging=AveragingOptions(start=0.0))
    seen = []
    result = optimize(
        Wandering(course(400)), options, stopper=HoldOut(lambda a: torch.tensor(1.0), patience=50), callback=seen.append
    )
    cooling = [found.done for found in seen if found.cooldown]
    assert result.reason == "stopped early"
    assert len(cooling) == 7  # the iterate at which it was decided, and a tenth of the run that it became
    assert result.iterations == 55 + 6
