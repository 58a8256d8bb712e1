"""Going back: what counts as divergence, how often, and what a snapshot brings back."""

import pytest
import torch

from inpaint.errors import InpaintError
from inpaint.optimize.averaging import Average
from inpaint.optimize.base import Evaluation
from inpaint.optimize.guard import GuardOptions, Snapshot
from inpaint.optimize.loop import LoopOptions, optimize
from inpaint.optimize.optimizers import AdamOptions, LbfgsOptions, make_optimizer
from inpaint.optimize.schedule import CooldownOptions
from quadratic import Quadratic

NONE = CooldownOptions(share=0.0)


def test_what_is_not_finite_is_taken_back_and_halves_the_learning_rate():
    rates = []
    problem = Quadratic(breaks={33: float("nan")})
    options = LoopOptions(iterations=60, lr=0.05, cooldown=NONE, check_every=10)
    result = optimize(problem, options, callback=lambda found: rates.append((found.done, found.lr, found.event)))
    assert result.divergences == 1
    assert result.best.isfinite().all()
    assert rates[32][1] == 0.05
    assert rates[34][1] == 0.025
    event = next(event for _, _, event in rates if event)
    assert event == "the loss was not finite at iteration 34: went back to the last good state, learning rate halved"
    assert [row.event for row in result.trace if row.event] == [event]


def test_a_loss_that_stays_not_finite_ends_with_one_clear_line():
    problem = Quadratic(breaks=dict.fromkeys(range(20, 90), float("nan")))
    with pytest.raises(
        InpaintError, match=r"not finite at iteration 23 \(learning rate 0.0125, 2 times put back before"
    ):
        optimize(problem, LoopOptions(iterations=90, lr=0.05, guard=GuardOptions(retries=2)))


@pytest.mark.parametrize(("optimizer", "lr"), [("adam", 0.02), ("lbfgs", 0.2)])
def test_divergence_is_noticed_at_the_next_check_and_undone(optimizer, lr):
    class Diverging(Quadratic):
        def evaluate(self, step):
            if step.iteration == 42:
                with torch.no_grad():
                    self.x.add_(10.0)  # as after a spike
            return super().evaluate(step)

    images = {}
    options = LoopOptions(iterations=52, optimizer=optimizer, lr=lr, cooldown=NONE, check_every=10, averaging=None)
    options = options.model_copy(update={"lbfgs": options.lbfgs.model_copy(update={"line_search": None})})
    result = optimize(Diverging(), options, callback=lambda found: images.update({found.done: found.image}))
    assert result.divergences == 1
    # Iteration 52 starts where 41 was evaluated: the step with the bad gradient was not taken.
    assert torch.equal(images[52], images[41])


def test_a_run_that_always_diverges_goes_on_from_where_it_is():
    class Growing(Quadratic):
        def evaluate(self, step):
            return Evaluation(loss=self.x.sum(), image=self.x.detach().clone(), mse=torch.tensor(10.0**step.iteration))

    options = LoopOptions(iterations=12, check_every=1, guard=GuardOptions(retries=3))
    result = optimize(Growing(), options)
    assert (result.divergences, result.iterations) == (3, 12)


@pytest.mark.parametrize("name", ["adam", "lbfgs"])
def test_a_snapshot_brings_back_weights_and_the_optimizers_whole_state(name):
    problem = Quadratic()
    optimizer = make_optimizer(name, [problem.x], lr=0.1, adam=AdamOptions(), lbfgs=LbfgsOptions(line_search=None))

    def closure():
        optimizer.zero_grad()
        loss = (problem.curvature * (problem.x - problem.target).square()).sum()
        loss.backward()
        return loss

    def steps(count):
        for _ in range(count):
            optimizer.step(closure)
        return problem.x.detach().clone()

    before = steps(3)
    snapshot = Snapshot.of([problem.x], optimizer, Average(0.9))
    ahead = steps(4)
    with torch.no_grad():
        problem.x.fill_(float("nan"))
    steps(1)
    # What was restored must not be the snapshot's own memory: it may be needed again.
    for _ in range(2):
        snapshot.restore([problem.x], optimizer)
        assert torch.equal(problem.x.detach(), before)
        assert torch.equal(steps(4), ahead)


def test_a_snapshot_leaves_the_learning_rate_and_returns_its_average():
    problem = Quadratic()
    optimizer = make_optimizer("adam", [problem.x], lr=0.1, adam=AdamOptions(), lbfgs=LbfgsOptions())
    average = Average(0.9).with_image(torch.ones(1, 1, 2, 2))
    snapshot = Snapshot.of([problem.x], optimizer, average)
    optimizer.param_groups[0]["lr"] = 0.05
    assert snapshot.restore([problem.x], optimizer) is average
    assert optimizer.param_groups[0]["lr"] == 0.05
