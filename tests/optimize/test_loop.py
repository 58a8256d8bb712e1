"""The loop on problems whose answer is known: what it returns, when it ends, and how it comes back from a fall."""

import math

import numpy as np
import pytest
import torch

from inpaint.errors import InpaintError
from inpaint.optimize.averaging import Average, Moments
from inpaint.optimize.guard import Snapshot
from inpaint.optimize.loop import optimize, optimize_several
from inpaint.optimize.steps import Evaluation, LoopOptions
from inpaint.types import StopFill


class Quadratic:
    """The picture itself is fitted: sum a (x - c)^2 / 2, minimum at c, curvatures a from 1 to 9."""

    def __init__(self, seed=0, breaks=None):
        draw = torch.Generator().manual_seed(seed)
        self.target = torch.rand(1, 3, 5, 7, generator=draw)
        self.curvature = 1 + 8 * torch.rand(1, 3, 5, 7, generator=draw)
        self.x = torch.zeros(1, 3, 5, 7, requires_grad=True)
        self.breaks = breaks or {}
        self.seen = []

    def parameters(self):
        return [self.x]

    def evaluate(self, moment):
        self.seen.append(moment)
        off = (self.curvature * (self.x - self.target).square()).sum() / 2
        loss = off * self.breaks.get(moment.iteration, 1.0)
        misfit = (self.x.detach() - self.target).square().mean()
        return Evaluation(loss=loss, picture=self.x.detach().clone(), misfit=misfit)


class Clock:
    """Time that passes by one second per look."""

    def __init__(self, step=1.0):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def test_adam_settles_at_the_minimum():
    problem = Quadratic()
    outcome = optimize(problem, LoopOptions(iterations=400, lr=0.05, settle=0.3, settle_lr=0.01, average=None))
    assert (outcome.picture - problem.target).abs().max() < 1e-3
    assert outcome.best is outcome.picture
    assert (outcome.iterations, outcome.reason, outcome.falls) == (400, "finished", 0)


def test_lbfgs_solves_a_quadratic_in_a_few_iterations_counted_as_such():
    problem = Quadratic()
    options = LoopOptions(iterations=40, optimizer="lbfgs", lr=1.0, settle=0.0, average=None)
    optimize(problem, options)
    assert (problem.x.detach() - problem.target).abs().max() < 1e-4
    assert {moment.iteration for moment in problem.seen} == set(range(40))


def test_the_first_step_of_adam_is_the_learning_rate_against_the_gradient():
    problem = Quadratic()
    outcome = optimize(problem, LoopOptions(iterations=2, lr=0.01, settle=0.0, average=None))
    # Adam's first step is lr * sign(gradient); the second iterate shows it.
    expected = 0.01 * torch.sign(problem.target)
    assert torch.allclose(outcome.picture, expected, atol=1e-6)


def test_the_learning_rate_is_constant_and_falls_to_its_last_value_by_a_half_cosine():
    rates = []
    options = LoopOptions(iterations=100, lr=0.5, settle=0.2, settle_lr=0.1, average=None)
    optimize(Quadratic(), options, watch=lambda iterate: rates.append(iterate.lr))
    assert rates[:80] == [0.5] * 80
    expected = [0.5 * (0.1 + 0.9 * (1 + math.cos(math.pi * k / 20)) / 2) for k in range(20)]
    assert rates[80:] == pytest.approx(expected)


def test_every_iterate_is_shown_once_and_cannot_be_changed():
    seen = []
    optimize(Quadratic(), LoopOptions(iterations=12, average_from=0.5), watch=seen.append)
    assert [iterate.done for iterate in seen] == list(range(1, 13))
    assert [iterate.total for iterate in seen] == [12] * 12
    assert seen[0].average is None
    assert seen[-1].average is not None
    assert seen[-1].remaining_s == 0
    with pytest.raises(AttributeError):
        seen[0].done = 3
    assert not torch.equal(seen[0].picture, seen[-1].picture)


def test_a_budget_ends_the_run_before_an_iteration_that_would_not_fit():
    outcome = optimize(Quadratic(), LoopOptions(iterations=1000), budget_s=20.5, clock=Clock())
    assert outcome.reason == "budget"
    assert outcome.iterations == 20
    assert outcome.seconds <= 20.5


def test_under_a_budget_the_settling_begins_in_time():
    rates = []
    options = LoopOptions(iterations=1000, lr=1.0, settle=0.5, average=None)
    optimize(Quadratic(), options, budget_s=40, clock=Clock(), watch=lambda iterate: rates.append(iterate.lr))
    assert rates[:20] == [1.0] * 20
    assert rates[-1] < 0.12
    assert rates == sorted(rates, reverse=True)


def test_one_iteration_is_done_however_small_the_budget():
    assert optimize(Quadratic(), LoopOptions(iterations=5), budget_s=0.0, clock=Clock()).iterations == 1


def test_a_watcher_can_stop_the_run_and_gets_what_there_is():
    def watch(iterate):
        if iterate.done == 7:
            raise StopFill

    outcome = optimize(Quadratic(), LoopOptions(iterations=50), watch=watch)
    assert (outcome.iterations, outcome.reason) == (7, "interrupted")
    assert outcome.best.isfinite().all()


def test_what_is_not_finite_is_taken_back_and_halves_the_learning_rate():
    rates = []
    problem = Quadratic(breaks={33: float("nan")})
    options = LoopOptions(iterations=60, lr=0.05, settle=0.0, check_every=10)
    outcome = optimize(problem, options, watch=lambda iterate: rates.append((iterate.done, iterate.lr, iterate.event)))
    assert outcome.falls == 1
    assert outcome.best.isfinite().all()
    assert rates[32][1] == 0.05
    assert rates[34][1] == 0.025
    event = next(event for _, _, event in rates if event)
    assert event == "the loss was not finite at iteration 34: went back to the last good state, learning rate halved"
    assert [line.event for line in outcome.trace if line.event] == [event]


def test_a_loss_that_stays_not_finite_ends_with_one_clear_line():
    problem = Quadratic(breaks=dict.fromkeys(range(20, 90), float("nan")))
    with pytest.raises(
        InpaintError, match=r"not finite at iteration 23 \(learning rate 0.0125, 2 times put back before"
    ):
        optimize(problem, LoopOptions(iterations=90, lr=0.05, max_falls=2))


def test_a_fall_of_the_fit_is_noticed_at_the_next_look_and_undone():
    class Falling(Quadratic):
        def evaluate(self, moment):
            if moment.iteration == 42:
                with torch.no_grad():
                    self.x.add_(10.0)  # as after a spike
            return super().evaluate(moment)

    problem = Falling()
    pictures = {}
    options = LoopOptions(iterations=52, lr=0.02, settle=0.0, check_every=10, average=None)
    outcome = optimize(problem, options, watch=lambda iterate: pictures.update({iterate.done: iterate.picture}))
    assert outcome.falls == 1
    # Iteration 52 starts where 41 was evaluated: the step with the bad gradient was not taken.
    assert torch.equal(pictures[52], pictures[41])


def test_a_snapshot_brings_back_weights_and_the_optimizers_whole_state():
    problem = Quadratic()
    optimizer = torch.optim.Adam([problem.x], lr=0.1)

    def step():
        optimizer.zero_grad()
        problem.evaluate(type("M", (), {"iteration": 0})).loss.backward()
        optimizer.step()

    for _ in range(3):
        step()
    before = (problem.x.detach().clone(), {k: v.clone() for k, v in optimizer.state[problem.x].items()})
    snapshot = Snapshot.of([problem.x], optimizer, Average(0.9))
    with torch.no_grad():
        problem.x.fill_(float("nan"))
    step()
    snapshot.restore([problem.x], optimizer)
    assert torch.equal(problem.x.detach(), before[0])
    for key, value in optimizer.state[problem.x].items():
        assert torch.equal(value, before[1][key]), key
    # What was restored must not be the snapshot's own memory: it may be needed again.
    for _ in range(2):
        step()
    snapshot.restore([problem.x], optimizer)
    assert torch.equal(problem.x.detach(), before[0])
    assert torch.equal(optimizer.state[problem.x]["exp_avg_sq"], before[1]["exp_avg_sq"])


def test_the_average_is_a_weighted_mean_without_the_bias_of_its_start():
    rng = np.random.default_rng(0)
    pictures = [rng.random((1, 3, 4, 5)) for _ in range(30)]
    average = Average(0.9)
    for number, picture in enumerate(pictures, start=1):
        average = average.with_picture(torch.from_numpy(picture))
        weights = 0.9 ** np.arange(number - 1, -1, -1)
        expected = sum(w * p for w, p in zip(weights, pictures, strict=False)) / weights.sum()
        assert np.allclose(average.value.numpy(), expected, rtol=1e-12)


def test_a_picture_that_is_not_valid_does_not_enter_the_average():
    average = Average(0.9).with_picture(torch.full((1, 1, 2, 2), 3.0))
    bad = average.with_picture(torch.full((1, 1, 2, 2), float("nan")), valid=torch.tensor(False))
    assert torch.equal(bad.value, average.value)
    assert torch.allclose(average.with_picture(torch.ones(1, 1, 4, 4)).value, torch.ones(1, 1, 4, 4))


def test_moments_are_those_of_numpy():
    pictures = np.random.default_rng(1).normal(5, 2, (9, 1, 1, 3, 4))
    moments = Moments()
    for picture in pictures:
        moments.add(torch.from_numpy(picture))
    assert np.allclose(moments.mean, pictures.mean(axis=0), rtol=1e-12)
    assert np.allclose(moments.deviation, pictures.std(axis=0, ddof=1), rtol=1e-12)


def test_langevin_noise_has_the_deviation_asked_for_and_gives_mean_and_deviation():
    class Flat(Quadratic):
        def evaluate(self, moment):
            picture = self.x.detach().clone()
            return Evaluation(loss=(0 * self.x).sum(), picture=picture)

    problem = Flat()
    problem.x = torch.zeros(1, 3, 40, 50, requires_grad=True)
    options = LoopOptions(iterations=2, lr=0.01, settle=0.0, langevin=2.0, burn_in=0.0, sample_every=1)
    outcome = optimize(problem, options, seed=4)
    assert outcome.picture.std() == pytest.approx(0.02, rel=0.05)
    # Samples: zeros, then the noise; their mean is half of it, their deviation |noise| / sqrt(2).
    assert torch.allclose(outcome.best, outcome.picture / 2)
    assert torch.allclose(outcome.deviation, outcome.picture.abs() / math.sqrt(2), atol=1e-6)


def test_restarts_average_results_from_different_seeds():
    made = []

    def make(seed):
        made.append((seed, Quadratic(seed % 1000)))
        return made[-1][1]

    options = LoopOptions(iterations=300, lr=0.05, settle=0.3, settle_lr=0.01, average=None)
    outcome = optimize_several(make, options, seed=5, runs=3)
    assert made[0][0] == 5
    assert len({seed for seed, _ in made}) == 3
    expected = torch.stack([problem.target for _, problem in made]).mean(dim=0)
    assert torch.allclose(outcome.best, expected, atol=2e-3)
    assert outcome.iterations == 900
    assert {line.run for line in outcome.trace} == {0, 1, 2}


def test_of_several_runs_the_best_can_be_taken():
    class Shifted(Quadratic):
        def __init__(self, seed):
            super().__init__(0)
            self.shift = float(seed != 7)

        def evaluate(self, moment):
            found = super().evaluate(moment)
            return Evaluation(loss=found.loss + self.shift, picture=found.picture + self.shift)

    outcome = optimize_several(Shifted, LoopOptions(iterations=5, average=None), seed=7, runs=3, combine="best")
    assert outcome.best.max() < 0.5
