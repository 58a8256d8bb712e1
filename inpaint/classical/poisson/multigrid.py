"""One cycle of multigrid, from a right side to nearly the solution: what conjugate gradients are preconditioned with.

After McAdams, Sifakis and Teran, "A parallel multigrid Poisson solver for fluids simulation on large grids", 2010,
with other levels: a cell of the next level is unknown if any of its four pixels is, and what known pixels add to the
diagonal of its pixels they add to its own, times `HOLD`. So what holds the solution at the border of the mask is felt
on all levels, and every part of the right side reaches them. Between unknown cells the links are 1, as between pixels.

The cycle smooths by one sweep of Gauss-Seidel on each side, red before black on the way down and black before red on
the way up, and restriction is the transpose of the bilinear interpolation: the cycle is symmetric. Its arithmetic uses
what this order implies. After a sweep from zero, the residual of red pixels is the sum of their black neighbors, that
of black ones is zero; and what is interpolated is needed at red pixels only, since the black ones follow from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.classical.poisson.direct import Direct
from inpaint.classical.poisson.grid import Mask, degree, neighbor_sum
from inpaint.classical.poisson.phases import BLACK, RED, Layout, Numbers
from inpaint.classical.poisson.workers import Scratch, Workers

HOLD = 0.85
"""Of the weight by which known pixels hold a pixel, how much holds its cell: found to converge fastest."""
SMALLEST = 10_000
"""Unknowns up to which a level is solved directly, in some milliseconds."""


class Level:
    """One grid: its system, and the fields of a cycle.

    Args:
        unknown: (H, W).
        diagonal: (H, W), not read where known.
        dtype: Of the arithmetic.
    """

    def __init__(self, unknown: Mask, diagonal: NDArray[Any], dtype: np.dtype[Any]) -> None:
        self.layout = Layout(*unknown.shape)
        self.weight = self.layout.zeros(dtype)  # 1 / diagonal, 0 where known
        self.layout.split(np.where(unknown, 1 / np.where(unknown, diagonal, 1), 0), self.weight)
        # 1 / 16 where unknown: of interpolation and of its transpose, which are whole numbers otherwise.
        self.red = {phase: (self.weight[phase] != 0) * dtype.type(1 / 16) for phase in RED}
        self.runs = self.layout.runs(self.weight)
        self.right = self.layout.zeros(dtype)
        self.solution = self.layout.zeros(dtype)
        self.half = np.zeros(self.layout.size, dtype)  # of half the size, to the next level and back

    def smooth_from_zero(self, workers: Workers) -> None:
        """Make the first sweep, and leave the residual of red pixels, over 16, in place of their solution."""
        right, solution, weight = self.right, self.solution, self.weight

        def red(start: int, stop: int, scratch: Scratch) -> None:
            for phase in RED:
                part = slice(start, stop)
                np.multiply(right[phase, part], weight[phase, part], out=solution[phase, part])

        def residual(start: int, stop: int, scratch: Scratch) -> None:
            for phase in RED:
                found = self._neighbor_sum(phase, start, stop)
                found *= self.red[phase][start:stop]

        workers.run(self.runs, red)
        workers.run(self.runs, self._swept(BLACK))
        workers.run(self.runs, residual)

    def _swept(self, phases: tuple[int, ...]) -> Callable[[int, int, Scratch], None]:
        """Return the stage that solves the equations of some phases for their own pixels."""

        def sweep(start: int, stop: int, scratch: Scratch) -> None:
            for phase in phases:
                found = self._neighbor_sum(phase, start, stop)
                found += self.right[phase, start:stop]
                found *= self.weight[phase, start:stop]

        return sweep

    def _neighbor_sum(self, phase: int, start: int, stop: int) -> Numbers:
        """Write the sum of their neighbors into pixels of a phase of the solution, and return these."""
        solution = self.solution
        found: Numbers = solution[phase, start:stop]
        first, second, *others = (
            solution[other, start + shift : stop + shift] for other, shift in self.layout.neighbors(phase)
        )
        np.add(first, second, out=found)
        for each in others:
            found += each
        return found

    def restrict(self, workers: Workers) -> None:
        """Write into `half` what is to be solved on the next level, from the residual that the first sweep left."""
        (first, last), row, half = (self.solution[phase] for phase in RED), self.layout.stride, self.half

        def spread(start: int, stop: int, scratch: Scratch) -> None:
            down, total = scratch.pair(stop - start + 1)
            found = half[start:stop]
            np.multiply(first[start : stop + 1], 3, out=down)
            down += first[start + row : stop + 1 + row]
            np.multiply(down[:-1], 3, out=found)
            found += down[1:]
            np.multiply(last[start - 1 : stop], 3, out=down)
            down += last[start - 1 - row : stop - row]
            found += down[:-1]
            np.multiply(down[1:], 3, out=total[1:])
            found += total[1:]

        workers.run(self.runs, spread)
        self._restrict_ends(*(self.layout.rows(each) for each in (first, last, half)))

    @staticmethod
    def _restrict_ends(first: NDArray[Any], last: NDArray[Any], half: NDArray[Any]) -> None:
        """Add what pixels at the frame owe to cells beyond it, which stand for those at the frame."""
        for row, line, step in ((1, first[1], 1), (-2, last[-2], -1)):
            spread = 3 * line
            if step == 1:
                spread[:-1] += line[1:]
            else:
                spread[1:] += line[:-1]
            half[row] += spread
            half[row, 1] += spread[0]
            half[row, -2] += spread[-1]
        half[1:-1, 1] += 3 * first[1:-1, 1] + first[2:, 1]
        half[1:-1, -2] += 3 * last[1:-1, -2] + last[:-2, -2]

    def interpolate(self, workers: Workers) -> None:
        """Add the next level's solution, in `half`, to the first sweep's at red pixels."""
        rows = self.layout.rows(self.half)
        rows[0], rows[-1] = rows[1], rows[-2]  # cells beyond the frame stand for those at it
        rows[:, 0], rows[:, -1] = rows[:, 1], rows[:, -2]
        right, solution, weight = self.right, self.solution, self.weight
        row, half = self.layout.stride, self.half

        def add(start: int, stop: int, scratch: Scratch) -> None:
            down, total = scratch.pair(stop - start + 1)
            for phase, near, far in ((RED[0], start - 1, -row), (RED[1], start, row)):
                found = solution[phase, start:stop]
                np.multiply(half[near : near + len(down)], 3, out=down)
                down += half[near + far : near + far + len(down)]
                own, other = (down[1:], down[:-1]) if phase == RED[0] else (down[:-1], down[1:])
                np.multiply(own, 3, out=found)
                found += other
                found *= self.red[phase][start:stop]
                np.multiply(right[phase, start:stop], weight[phase, start:stop], out=total[1:])
                found += total[1:]

        workers.run(self.runs, add)

    def smooth(self, workers: Workers) -> None:
        """Make the last sweep, from a solution of which red pixels count."""
        workers.run(self.runs, self._swept(BLACK))
        workers.run(self.runs, self._swept(RED))


class Cycle:
    """The levels for a mask, from fine to coarse, and the solver of the coarsest.

    Args:
        unknown: (H, W).
        screen: As in `grid`.
        dtype: Of the arithmetic.
        workers: Who computes.
    """

    def __init__(self, unknown: Mask, screen: float, dtype: np.dtype[Any], workers: Workers) -> None:
        self._workers = workers
        self.levels: list[Level] = []
        held = np.where(unknown, degree(unknown.shape) - neighbor_sum(unknown.view(np.int8)), 0).astype(dtype)
        screened = unknown * dtype.type(screen)
        while not self.levels or np.count_nonzero(unknown) > SMALLEST:
            diagonal = neighbor_sum(unknown.view(np.int8)) + held + screened
            self.levels.append(Level(unknown, diagonal, dtype))
            held, screened = dtype.type(HOLD) * block_sum(held), block_sum(screened)
            unknown = block_sum(unknown.view(np.int8)) > 0
        self._coarsest = Direct(unknown, neighbor_sum(unknown.view(np.int8)) + held + screened)

    def run(self) -> None:
        """Compute the first level's solution, nearly, from its right side."""
        for number, level in enumerate(self.levels):
            if number:
                level.layout.split(self._interior(number - 1), level.right)
            level.smooth_from_zero(self._workers)
            level.restrict(self._workers)
        last = self._interior(len(self.levels) - 1)
        last[...] = self._coarsest.solve(last)
        for number, level in reversed(list(enumerate(self.levels))):
            level.interpolate(self._workers)
            level.smooth(self._workers)
            if number:
                level.layout.merge(level.solution, self._interior(number - 1))

    def _interior(self, number: int) -> NDArray[Any]:
        level = self.levels[number]
        return level.layout.rows(level.half)[1:-1, 1:-1]


def block_sum(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the sum of each 2 x 2 block of a plane (H, W), with zeros beyond its end: (H / 2, W / 2), rounded up.

    Example:
        >>> block_sum(np.array([[1, 2, 3], [4, 5, 6]]))
        array([[12,  9]])
    """
    total = plane[::2, ::2].copy()
    for block in (plane[1::2, ::2], plane[::2, 1::2], plane[1::2, 1::2]):
        total[: block.shape[0], : block.shape[1]] += block
    return total
