"""Measuring speed so that figures can be compared: everything in turns within one run (A B A B)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TypeAlias

from inpaint.system.environment import load_average

Work: TypeAlias = Callable[[], object]
Shares: TypeAlias = Callable[[Work], dict[str, float]]


@dataclass(frozen=True)
class Turn:
    """What a task took in one round: how often it ran, and the time of all its runs; processor_s: of all threads."""

    count: int
    wall_s: float
    processor_s: float


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one run over the rounds. user_ms: processor time of all threads, lowest."""

    median_ms: float
    lowest_ms: float
    highest_ms: float
    user_ms: float


@dataclass(frozen=True)
class Rate:
    """How often per second a task ran: the median over the rounds and the extremes."""

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Ratio:
    """How many times as fast the first of two tasks is: median over the rounds, and lowest time to lowest time."""

    median: float
    of_lowest: float


@dataclass(frozen=True)
class Turns:
    """The turns of every task by name, one for each round."""

    by_task: dict[str, list[Turn]]

    def timings(self) -> dict[str, Timing]:
        """Return the milliseconds of one run of each task."""
        return {name: _timing(turns) for name, turns in self.by_task.items()}

    def rates(self) -> dict[str, Rate]:
        """Return the runs per second of each task."""
        rates = {name: [turn.count / turn.wall_s for turn in turns] for name, turns in self.by_task.items()}
        return {name: Rate(statistics.median(values), min(values), max(values)) for name, values in rates.items()}

    def ratio(self) -> Ratio | None:
        """Compare the first task with the second; None where there is one only."""
        if len(self.by_task) < 2:
            return None
        first, second = ([turn.wall_s / turn.count for turn in turns] for turns in list(self.by_task.values())[:2])
        each_round = [other / own for own, other in zip(first, second, strict=True)]
        return Ratio(statistics.median(each_round), min(second) / min(first))


def take_turns(tasks: Mapping[str, Work], *, rounds: int, turn_s: float = 0.0) -> Turns:
    """Run every task in each round, one after the other, so that a change of the machine's speed hits all alike.

    Args:
        tasks: What is measured, by name.
        rounds: How many rounds count, at least 1; one more before them warms up.
        turn_s: How long a task is repeated in its turn, in seconds; it runs at least once.

    Example:
        >>> turns = take_turns({"a": lambda: sum(range(1000)), "b": lambda: sum(range(9000))}, rounds=3)
        >>> turns.timings()["a"].lowest_ms > 0 and turns.rates()["b"].median > 0
        True
    """
    found: dict[str, list[Turn]] = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name, work in tasks.items():
            turn = _turn(work, turn_s)
            if number:
                found[name].append(turn)
    return Turns(found)


def _turn(work: Work, at_least_s: float) -> Turn:
    started, used, count = time.perf_counter(), time.process_time(), 0
    while True:
        work()
        count += 1
        passed = time.perf_counter() - started
        if passed >= at_least_s:
            return Turn(count, passed, time.process_time() - used)


def _timing(turns: Sequence[Turn]) -> Timing:
    wall = [1000 * turn.wall_s / turn.count for turn in turns]
    user = min(1000 * turn.processor_s / turn.count for turn in turns)
    return Timing(statistics.median(wall), min(wall), max(wall), user)


@dataclass(frozen=True)
class Measured:
    """All that was measured of networks, by the names of their settings.

    ratio: of the first to the second. peaks: bytes, None if not asked for. shares: of the time, by groups of operators,
    if asked for. macs: multiply-accumulates of the first, where they are counted. torch_threads: how many were used.
    load_before: how many processes wanted to run in the minute before, where the system says so.
    """

    timings: dict[str, Timing]
    ratio: Ratio | None
    peaks: dict[str, int | None]
    torch_threads: int
    load_before: float | None
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    macs: int | None = None

    def figures(self) -> dict[str, object]:
        """Return what is written as JSON."""
        return {
            "timings": {name: asdict(timing) for name, timing in self.timings.items()},
            "peak_bytes": self.peaks,
            "shares": self.shares,
            "load_before": self.load_before,
            "torch_threads": self.torch_threads,
            **({"ratio": asdict(self.ratio)} if self.ratio else {}),
        }


def measured(
    tasks: Mapping[str, Work], *, rounds: int, peak: Callable[[str], int] | None, shares: Shares | None, threads: int
) -> Measured:
    """Time networks in turns, and measure what else is asked for.

    Args:
        tasks: By the names of their settings.
        rounds: How many rounds count.
        peak: Returns the peak memory in bytes of a name.
        shares: Returns which groups of operators take which share of the time of a task.
        threads: Of torch, as they are.
    """
    load, turns = load_average(), take_turns(tasks, rounds=rounds)
    return Measured(
        turns.timings(),
        turns.ratio(),
        peaks={name: None if peak is None else peak(name) for name in tasks},
        shares={} if shares is None else {name: shares(task) for name, task in tasks.items()},
        torch_threads=threads,
        load_before=load,
    )


@contextmanager
def torch_threads(count: int | None) -> Iterator[int]:
    """Let torch use so many threads meanwhile, None: as many as it does; yields how many it uses."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
