"""Turns, and what is derived from them: times, rates and the ratio of two tasks."""

from time import sleep

import pytest
import torch

from inpaint.benchmark.timing import Ratio, Turn, Turns, take_turns, torch_threads


def test_tasks_take_turns_after_one_warm_up():
    calls = []
    turns = take_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2)
    assert "".join(calls) == "ab" * 3
    assert {name: len(each) for name, each in turns.by_task.items()} == {"a": 2, "b": 2}
    assert all(turn.count == 1 for each in turns.by_task.values() for turn in each)


def test_a_task_is_repeated_for_the_whole_of_its_turn():
    turns = take_turns({"a": lambda: sleep(0.001)}, rounds=2, turn_s=0.02)
    assert all(turn.count > 1 and turn.wall_s >= 0.02 for turn in turns.by_task["a"])
    (rate,) = turns.rates().values()
    assert 0 < rate.lowest <= rate.median <= rate.highest < 1000


def test_times_and_rates_are_those_of_one_run_in_each_turn():
    turns = Turns({"a": [Turn(1, 0.5, 0.9), Turn(4, 1.0, 0.4), Turn(2, 2.0, 1.0)]})
    timing, rate = turns.timings()["a"], turns.rates()["a"]
    assert (timing.median_ms, timing.lowest_ms, timing.highest_ms) == (500, 250, 1000)
    assert timing.user_ms == pytest.approx(100)
    assert (rate.median, rate.lowest, rate.highest) == (2, 1, 4)
    assert turns.ratio() is None


def test_the_ratio_is_that_of_the_same_round():
    # The machine is ten times as slow in the second round: the ratio does not see it.
    first, second = (
        [Turn(1, 1.0, 0), Turn(1, 10.0, 0), Turn(1, 1.0, 0)],
        [Turn(1, 3.0, 0), Turn(2, 60.0, 0), Turn(1, 2, 0)],
    )
    assert Turns({"a": first, "b": second}).ratio() == Ratio(median=3.0, of_lowest=2.0)


def test_what_is_measured_is_the_task_and_not_its_neighbor():
    waits = iter([0.0, 0.0, 0.002, 0.02, 0.002, 0.02])
    turns = take_turns({"a": lambda: sleep(next(waits)), "b": lambda: sleep(next(waits))}, rounds=2)
    timings = turns.timings()
    assert timings["a"].lowest_ms >= 2
    assert timings["b"].lowest_ms >= 20
    assert turns.ratio().of_lowest > 1


def test_threads_are_those_of_before_afterwards():
    before = torch.get_num_threads()
    with torch_threads(before + 1) as used:
        assert used == torch.get_num_threads() == before + 1
    with torch_threads(None) as used:
        assert used == before
    assert torch.get_num_threads() == before
