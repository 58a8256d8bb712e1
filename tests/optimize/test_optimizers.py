"""Adam and L-BFGS as they are made: what each option does, and what a snapshot has to bring back."""

from collections import Counter

import pytest
import torch

from inpaint.optimize.loop import LoopOptions, optimize
from inpaint.optimize.optimizers import AdamOptions, LbfgsOptions, make_optimizer
from inpaint.optimize.schedule import CooldownOptions
from quadratic import Quadratic

NONE = CooldownOptions(share=0.0)


def lbfgs(**options):
    return LoopOptions(
        iterations=40, optimizer="lbfgs", lr=1.0, lbfgs=LbfgsOptions(**options), cooldown=NONE, averaging=None
    )


def test_lbfgs_solves_a_quadratic_in_a_few_iterations_counted_as_such():
    problem = Quadratic()
    optimize(problem, lbfgs())
    assert (problem.x.detach() - problem.target).abs().max() < 1e-4
    assert {step.iteration for step in problem.steps} == set(range(40))


def test_lbfgs_evaluates_as_often_as_its_line_search_may():
    def most(**options):
        """Return the evaluations of the iteration that took most, with first steps far too short."""
        problem = Quadratic()
        optimize(problem, lbfgs(**options).model_copy(update={"lr": 1e-3, "iterations": 5}))
        return max(Counter(step.iteration for step in problem.steps).values())

    assert most(line_search=None) == 1
    assert most(evaluations=4) == 4
    assert most() > 4


def test_the_history_of_lbfgs_is_what_was_asked_for():
    problem = Quadratic()
    options = lbfgs(history=3, line_search=None)
    optimizer = make_optimizer("lbfgs", [problem.x], lr=0.1, adam=options.adam, lbfgs=options.lbfgs)

    def closure():
        optimizer.zero_grad()
        loss = (problem.curvature * (problem.x - problem.target).square()).sum()
        loss.backward()
        return loss

    for _ in range(8):
        optimizer.step(closure)
    assert len(optimizer.state[problem.x]["old_dirs"]) == 3


@pytest.mark.parametrize("name", ["adam", "lbfgs"])
def test_the_loop_steps_as_the_optimizer_alone_does(name):
    ours, alone = Quadratic(), Quadratic()
    adam, quasi = AdamOptions(betas=(0.8, 0.99), weight_decay=0.1, fused=False), LbfgsOptions()
    options = LoopOptions(iterations=7, optimizer=name, lr=0.03, adam=adam, lbfgs=quasi, cooldown=NONE, averaging=None)
    optimize(ours, options)
    if name == "adam":
        optimizer = torch.optim.Adam([alone.x], lr=0.03, betas=(0.8, 0.99), weight_decay=0.1)
    else:
        optimizer = torch.optim.LBFGS(
            [alone.x], lr=0.03, max_iter=1, max_eval=25, history_size=20, line_search_fn="strong_wolfe"
        )

    def closure():
        optimizer.zero_grad()
        loss = (alone.curvature * (alone.x - alone.target).square()).sum() / 2
        loss.backward()
        return loss

    for _ in range(7):
        optimizer.step(closure)
    assert torch.allclose(ours.x, alone.x, atol=1e-6)
