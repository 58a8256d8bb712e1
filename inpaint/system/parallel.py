"""Several things at the same time on the cores of one machine, answered in the order in which they were asked."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Work(Generic[Answer]):
    """Something to do. alone: while nothing else is done, by the thread that asks."""

    do: Callable[[], Answer]
    alone: bool = False


class Budget:
    """An amount that several threads share, of memory for instance.

    total: what may be spent at the same time; one piece of work that wants more gets it while it is alone.
    """

    def __init__(self, total: float) -> None:
        self._total = total
        self._spent = 0.0
        self._asked, self._served = 0, 0
        self._changed = threading.Condition()

    @contextmanager
    def spending(self, amount: float) -> Iterator[None]:
        """Wait until there is enough left, first come first served, and spend it during the block."""
        with self._changed:
            turn, self._asked = self._asked, self._asked + 1
            self._changed.wait_for(
                lambda: turn == self._served and (not self._spent or self._spent + amount <= self._total)
            )
            self._served += 1
            self._spent += amount
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._spent -= amount
                self._changed.notify_all()


def in_order(
    work: Iterable[tuple[Key, Work[Answer]]],
    *,
    jobs: int,
    ahead: int = 0,
    leaving: Callable[[], None] = lambda: None,
) -> Generator[tuple[Key, Answer]]:
    """Do up to `jobs` pieces of work at the same time and yield each key with its answer, in the order of `work`.

    `work` is asked for at most `ahead` pieces ahead of the answers, and for 2 * jobs if that is more: answers wait for
    those before them, so long pieces between short ones run together only when seen in time. The pieces run in threads:
    NumPy, SciPy, OpenCV and torch compute without Python's lock. An exception ends the iteration, as does leaving the
    iterator, best with `contextlib.closing`: `leaving` is called, which may hurry what is running; that ends first, the
    rest is dropped.
    """
    most = max(2 * jobs, ahead)
    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="jobs")
    pending: deque[tuple[Key, Future[Answer]]] = deque()
    try:
        for key, each in work:
            if not (each.alone or jobs == 1):
                pending.append((key, pool.submit(each.do)))
            while pending and (each.alone or len(pending) >= most):
                yield _answered(pending.popleft())
            if each.alone or jobs == 1:
                yield key, each.do()
        while pending:
            yield _answered(pending.popleft())
    finally:
        leaving()
        pool.shutdown(wait=True, cancel_futures=True)


def _answered(asked: tuple[Key, Future[Answer]]) -> tuple[Key, Answer]:
    key, future = asked
    return key, future.result()
