"""The system solved by conjugate gradients with a cycle of multigrid before them: linear in the pixels."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from inpaint.classical.poisson.grid import Mask, Plane
from inpaint.classical.poisson.multigrid import Cycle
from inpaint.classical.poisson.workers import Scratch, Workers

logger = logging.getLogger("inpaint.classical")

TOLERANCES = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-13}
"""How large the last correction may be, of the first one."""
MOST = 100
"""Iterations. Six to thirteen are usual in float32, twice as many in float64."""


class ConjugateGradients:
    """Preconditioned conjugate gradients on the phases of a plane.

    Sums are in float64. It ends when the cycle's next correction, which is nearly the error, is small everywhere.

    Args:
        unknown: (H, W); at least one pixel is unknown, and one is known or the screen is not 0.
        screen: As in `grid`.
        dtype: Of the arithmetic.
        tolerance: Largest correction at the end, of the largest of the first. Default: `TOLERANCES`.
        threads: That share the work.
    """

    def __init__(
        self, unknown: Mask, screen: float, dtype: np.dtype[Any], *, tolerance: float | None = None, threads: int
    ) -> None:
        self._workers = Workers(threads, dtype)
        self._cycle = Cycle(unknown, screen, dtype, self._workers)
        self._level = self._cycle.levels[0]
        self._diagonal = dtype.type(4 + screen)
        self._tolerance = TOLERANCES[dtype] if tolerance is None else tolerance
        layout = self._level.layout
        self._found, self._step, self._image = (layout.zeros(dtype) for _ in range(3))
        self.iterations = 0

    def solve(self, right: Plane) -> Plane:
        """See `PlaneSolver`."""
        level = self._level
        for field in (self._found, self._step):
            field[...] = 0
        level.layout.split(right, level.right)
        self._iterate()
        found = np.empty_like(right)
        level.layout.merge(self._found, found)
        return found

    def _iterate(self) -> None:
        first, before = 0.0, 1.0
        for self.iterations in range(MOST):
            self._cycle.run()
            energy, largest = self._measured()
            first = first or largest
            if largest <= self._tolerance * first:
                self._found += self._level.solution
                return
            self._turn(energy / before if self.iterations else 0.0)
            self._advance(energy / self._multiplied())
            before = energy
        share = largest / first
        logger.warning("Poisson's equation: after %d iterations still %.0e of the first correction", MOST, share)

    def _measured(self) -> tuple[float, float]:
        """Return the product of residual and correction, and the largest correction."""
        right, solution = self._level.right, self._level.solution

        def measure(start: int, stop: int, scratch: Scratch) -> tuple[float, float]:
            part = solution[:, start:stop]
            return _product(right[:, start:stop], part), max(float(part.max()), -float(part.min()))

        found = self._workers.run(self._level.runs, measure)
        return sum(energy for energy, _ in found), max((largest for _, largest in found), default=0.0)

    def _turn(self, share: float) -> None:
        """Make the next direction of the correction and of the last direction."""
        solution, step = self._level.solution, self._step

        def turn(start: int, stop: int, scratch: Scratch) -> None:
            direction = step[:, start:stop]
            direction *= direction.dtype.type(share)
            direction += solution[:, start:stop]

        self._workers.run(self._level.runs, turn)

    def _multiplied(self) -> float:
        """Multiply the system with the direction and return the product of both.

        What the image of it is at known pixels has no meaning and no effect: correction and direction are zero there.
        """
        step, image, layout = self._step, self._image, self._level.layout
        shifts = [layout.neighbors(phase) for phase in range(4)]

        def multiply(start: int, stop: int, scratch: Scratch) -> float:
            for phase in range(4):
                part = image[phase, start:stop]
                np.multiply(step[phase, start:stop], self._diagonal, out=part)
                for other, shift in shifts[phase]:
                    part -= step[other, start + shift : stop + shift]
            return _product(step[:, start:stop], image[:, start:stop])

        return sum(self._workers.run(self._level.runs, multiply)) - self._multiplied_ends()

    def _multiplied_ends(self) -> float:
        """Take from the image what the frame lacks of neighbors, and return by how much that makes the product less."""
        layout, total = self._level.layout, 0.0
        for phase, cut in layout.ends():
            step = layout.rows(self._step[phase])[cut]
            layout.rows(self._image[phase])[cut] -= step
            total += float(np.square(step, dtype=np.float64).sum())
        return total

    def _advance(self, share: float) -> None:
        """Go along the direction, and bring the residual up to date."""
        right, step, image, found = self._level.right, self._step, self._image, self._found

        def advance(start: int, stop: int, scratch: Scratch) -> None:
            for phase in range(4):
                part, other = slice(start, stop), scratch.pair(stop - start)[0]
                np.multiply(step[phase, part], other.dtype.type(share), out=other)
                found[phase, part] += other
                np.multiply(image[phase, part], other.dtype.type(share), out=other)
                right[phase, part] -= other

        self._workers.run(self._level.runs, advance)


def _product(first: Plane, second: Plane) -> float:
    """Return the inner product of two stretches of phases: rows in the arithmetic's type, their sum in float64."""
    return float(np.einsum("ij,ij->i", first, second).sum(dtype=np.float64))
