"""How far a run is: the learning rate on its way, and the end by iterations or by the clock."""

import math

import pytest

from inpaint.optimize.loop import LoopOptions, optimize
from inpaint.optimize.schedule import CooldownOptions, Schedule
from quadratic import Clock, Quadratic


def test_the_learning_rate_is_constant_and_decreases_to_its_last_value_by_a_half_cosine():
    rates = []
    options = LoopOptions(iterations=100, lr=0.5, cooldown=CooldownOptions(share=0.2, lr=0.1), averaging=None)
    optimize(Quadratic(), options, callback=lambda found: rates.append(found.lr))
    assert rates[:80] == [0.5] * 80
    expected = [0.5 * (0.1 + 0.9 * (1 + math.cos(math.pi * k / 20)) / 2) for k in range(20)]
    assert rates[80:] == pytest.approx(expected)


def test_a_budget_ends_the_run_before_an_iteration_that_would_not_fit():
    result = optimize(Quadratic(), LoopOptions(iterations=1000), budget_s=20.5, clock=Clock())
    assert result.reason == "budget"
    assert result.iterations == 20
    assert result.elapsed_s <= 20.5


def test_under_a_budget_the_cooldown_begins_in_time():
    rates = []
    options = LoopOptions(iterations=1000, lr=1.0, cooldown=CooldownOptions(share=0.5), averaging=None)
    optimize(Quadratic(), options, budget_s=40, clock=Clock(), callback=lambda found: rates.append(found.lr))
    assert rates[:20] == [1.0] * 20
    assert rates[-1] < 0.12
    assert rates == sorted(rates, reverse=True)


def test_one_iteration_is_done_however_small_the_budget():
    assert optimize(Quadratic(), LoopOptions(iterations=5), budget_s=0.0, clock=Clock()).iterations == 1


def test_a_search_that_ends_early_cools_down_in_proportion():
    schedule = Schedule(100, CooldownOptions(share=0.2), budget_s=None, clock=Clock())
    for _ in range(40):
        schedule.next_step()
        assert schedule.advance() is None
    assert schedule.end_search() is None
    steps = []
    reason = None
    while reason is None:
        steps.append(schedule.next_step())
        reason = schedule.advance()
    assert reason == "stopped early"
    assert len(steps) == 10  # a fifth of the 50 that it became
    assert all(step.cooldown for step in steps)
    assert [step.progress for step in steps] == pytest.approx([0.8 + 0.02 * k for k in range(10)])


def test_without_a_cooldown_the_end_of_the_search_is_the_end_of_the_run():
    schedule = Schedule(100, CooldownOptions(share=0.0), budget_s=None, clock=Clock())
    schedule.next_step()
    schedule.advance()
    assert schedule.end_search() == "stopped early"


def test_the_remaining_iterations_follow_from_the_pace():
    schedule = Schedule(1000, CooldownOptions(share=0.0), budget_s=100.0, clock=Clock())
    for _ in range(10):
        schedule.next_step()
        schedule.advance()
    assert (schedule.elapsed_s, schedule.pace_s, schedule.total) == (10.0, 1.0, 100)
