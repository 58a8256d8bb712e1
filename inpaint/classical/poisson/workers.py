"""Threads that share the runs of a field; the result does not depend on how many there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from inpaint.classical.poisson.phases import LONGEST
from inpaint.system.environment import cores

Answer = TypeVar("Answer")
Run: TypeAlias = tuple[int, int]
WORTH = 8
"""Runs for which several threads are worth their while."""


class Scratch:
    """Two pieces of memory of one thread for what lies between operations."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._memory = np.empty((2, LONGEST + 1), dtype)

    def pair(self, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return two arrays of so many numbers."""
        return self._memory[0, :count], self._memory[1, :count]


class Workers:
    """One or several threads.

    Args:
        count: How many.
        dtype: Of the arithmetic.
    """

    def __init__(self, count: int, dtype: np.dtype[Any]) -> None:
        self._scratch = [Scratch(dtype) for _ in range(count)]
        self._pool = ThreadPoolExecutor(count) if count > 1 else None

    def run(self, runs: Sequence[Run], stage: Callable[[int, int, Scratch], Answer]) -> list[Answer]:
        """Return what a stage (start, stop, scratch) answers for each run; it may not read what it writes elsewhere."""
        if self._pool is None or len(runs) < WORTH:
            return [stage(*run, self._scratch[0]) for run in runs]
        count = len(self._scratch)
        ends = [len(runs) * number // count for number in range(count + 1)]

        def share(number: int) -> list[Answer]:
            return [stage(*run, self._scratch[number]) for run in runs[ends[number] : ends[number + 1]]]

        return [each for part in self._pool.map(share, range(count)) for each in part]


def usual_threads() -> int:
    """Return how many threads share the work: the cores of this process, fewer where OMP_NUM_THREADS says so."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores(), max(int(asked), 1)) if asked.isdecimal() else cores()
