"""What more threads bring to one pass of a network, on a quiet machine and beside a busy process."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event
from typing import TypeAlias

from inpaint.benchmark.forward import forward_task
from inpaint.benchmark.settings import Setting
from inpaint.benchmark.timing import Timing, Work, take_turns, torch_threads

QUIET, BUSY = "quiet", "beside a busy process"
Around: TypeAlias = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Scaled:
    """The time of one pass of one network with so many threads. beside: QUIET or BUSY."""

    network: str
    threads: int
    beside: str
    timing: Timing


def measure_scaling(settings: Mapping[str, Setting], *, threads: Sequence[int], rounds: int) -> list[Scaled]:
    """Time one pass of all settings in turns, with every number of threads, quiet and beside a busy process.

    Args:
        settings: By name.
        threads: Numbers of threads of torch.
        rounds: How many rounds count.

    Returns:
        By settings, numbers of threads and QUIET before BUSY.
    """
    with _busy_process() as busy:
        about: dict[str, tuple[str, int, str]] = {}
        tasks: dict[str, Work] = {}
        for name, setting in settings.items():
            task = forward_task(setting)
            for count in threads:
                for beside, around in ((QUIET, nullcontext), (BUSY, busy)):
                    key = f"{name}, {count}, {beside}"
                    about[key] = (name, count, beside)
                    tasks[key] = partial(_run, task, count, around)
        timings = take_turns(tasks, rounds=rounds).timings()
    return [Scaled(*about[key], timing) for key, timing in timings.items()]


def _run(task: Work, threads: int, around: Around) -> None:
    with around(), torch_threads(threads):
        task()


@contextmanager
def _busy_process() -> Iterator[Around]:
    """Start a process that keeps one core busy inside of what is yielded, and waits outside."""
    context = multiprocessing.get_context("spawn")
    wanted = context.Event()
    process = context.Process(target=_spin, args=(wanted,), daemon=True)
    process.start()

    @contextmanager
    def spinning() -> Iterator[None]:
        wanted.set()
        try:
            yield
        finally:
            wanted.clear()

    try:
        yield spinning
    finally:
        process.kill()
        process.join()


def _spin(wanted: Event) -> None:
    while wanted.wait():
        for _ in range(10_000):
            pass
