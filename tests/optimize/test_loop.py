"""The loop on problems whose answer is known: what it returns, when it ends, and what callbacks get."""

import pytest
import torch

from inpaint.errors import ConfigError, InpaintError
from inpaint.optimize.averaging import AveragingOptions
from inpaint.optimize.base import Evaluation
from inpaint.optimize.loop import LoopOptions, optimize, optimize_several
from inpaint.optimize.schedule import CooldownOptions
from inpaint.options import validated
from inpaint.types import StopFill
from quadratic import Clock, Quadratic

NONE = CooldownOptions(share=0.0)


def test_adam_cools_down_at_the_minimum():
    problem = Quadratic()
    options = LoopOptions(iterations=400, lr=0.05, cooldown=CooldownOptions(share=0.3, lr=0.01), averaging=None)
    result = optimize(problem, options)
    assert (result.image - problem.target).abs().max() < 1e-3
    assert result.best is result.image
    assert (result.iterations, result.reason, result.divergences) == (400, "finished", 0)


def test_the_first_step_of_adam_is_the_learning_rate_against_the_gradient():
    problem = Quadratic()
    result = optimize(problem, LoopOptions(iterations=2, lr=0.01, cooldown=NONE, averaging=None))
    # Adam's first step is lr * sign(gradient); the second image shows it.
    expected = 0.01 * torch.sign(problem.target)
    assert torch.allclose(result.image, expected, atol=1e-6)


def test_the_gradient_is_clipped_to_its_largest_norm():
    problem, norms = Quadratic(), []
    problem.x.register_post_accumulate_grad_hook(lambda x: norms.append(float(x.grad.norm())))
    optimize(problem, LoopOptions(iterations=1, clip=0.5, averaging=None))
    assert norms[0] > 0.5
    assert float(problem.x.grad.norm()) == pytest.approx(0.5, rel=1e-4)


def test_every_iteration_is_shown_once_and_cannot_be_changed():
    seen = []
    optimize(Quadratic(), LoopOptions(iterations=12, averaging=AveragingOptions(start=0.5)), callback=seen.append)
    assert [found.done for found in seen] == list(range(1, 13))
    assert [found.total for found in seen] == [12] * 12
    assert seen[0].average is None
    assert seen[-1].average is not None
    assert seen[-1].remaining_s == 0
    with pytest.raises(AttributeError):
        seen[0].done = 3
    assert not torch.equal(seen[0].image, seen[-1].image)


def test_the_trace_has_a_row_for_every_check_and_for_the_end():
    seen = []
    options = LoopOptions(iterations=25, lr=0.05, check_every=10)
    rows = optimize(Quadratic(), options, callback=seen.append, clock=Clock(), run=3).trace
    assert [row.iteration for row in rows] == [1, 11, 21, 25]
    assert {row.run for row in rows} == {3}
    for row in rows:
        found = seen[row.iteration - 1]
        assert (row.loss, row.lr, row.elapsed_s) == (float(found.loss), found.lr, found.elapsed_s)


def test_a_callback_can_stop_the_run_and_gets_what_there_is():
    def callback(found):
        if found.done == 7:
            raise StopFill

    result = optimize(Quadratic(), LoopOptions(iterations=50), callback=callback)
    assert (result.iterations, result.reason) == (7, "interrupted")
    assert result.best.isfinite().all()


def test_an_image_that_is_not_finite_is_an_error():
    class Broken(Quadratic):
        def evaluate(self, step):
            found = super().evaluate(step)
            return Evaluation(loss=found.loss, image=found.image * float("nan"))

    with pytest.raises(InpaintError, match="the image was not finite after 3 iterations; try a smaller learning rate"):
        optimize(Broken(), LoopOptions(iterations=3))


def test_restarts_average_results_from_different_seeds():
    made, stoppers = [], []

    def make(seed):
        made.append((seed, Quadratic(seed % 1000)))
        return made[-1][1]

    options = LoopOptions(iterations=300, lr=0.05, cooldown=CooldownOptions(share=0.3, lr=0.01), averaging=None)
    result = optimize_several(make, options, seed=5, runs=3, stopper=stoppers.append)
    assert made[0][0] == 5
    assert len({seed for seed, _ in made}) == 3
    assert stoppers == [problem for _, problem in made]
    expected = torch.stack([problem.target for _, problem in made]).mean(dim=0)
    assert torch.allclose(result.best, expected, atol=2e-3)
    assert result.iterations == 900
    assert {row.run for row in result.trace} == {0, 1, 2}


def test_a_restart_that_is_interrupted_does_not_spoil_the_average():
    def stop(now):
        if now.run == 1 and now.done == 2:
            raise StopFill

    options = LoopOptions(iterations=50, averaging=None)
    result = optimize_several(lambda seed: Quadratic(seed % 1000), options, seed=5, runs=3, callback=stop)
    alone = optimize(Quadratic(5), options, seed=5)
    assert torch.equal(result.best, alone.best)
    assert (result.reason, result.iterations) == ("interrupted", 52)


def test_langevin_noise_is_for_adam():
    with pytest.raises(ConfigError, match="langevin: is for adam"):
        validated(LoopOptions, {"optimizer": "lbfgs", "langevin": {"noise": 2.0}})
