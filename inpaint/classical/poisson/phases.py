"""A plane stored as four: pixels by whether their row and their column are even, so that neighbors are plain slices.

Pixels of a chessboard have neighbors of the other color only. Phases 0 and 3 (even row and column, odd row and column)
are the red ones, 1 and 2 the black ones. Each phase is stored row after row with a ring of zeros around it, so that a
run of consecutive numbers, shifted by one or by a row, is a run of neighbors: NumPy adds such runs several times as
fast as pieces of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

Field: TypeAlias = NDArray[Any]
"""(4, size of the layout)."""
Numbers: TypeAlias = NDArray[Any]
"""(size of the layout,): one phase, or a plane of half the size, with its ring."""

RED, BLACK = (0, 3), (1, 2)
LONGEST, SHORTEST = 32768, 1024
"""Of a run: as much as stays in a core's cache while several operations pass over it, and as is worth an operation."""

# For each phase: the one beside it, the one above and below it, and on which side of the pixel of the same number their
# second neighbor lies: -1 before, 1 behind.
_BESIDE = ((1, -1), (0, 1), (3, -1), (2, 1))
_ABOVE = ((2, -1), (3, -1), (0, 1), (1, 1))


@dataclass(frozen=True)
class Layout:
    """How the phases of a plane of this height and width are stored."""

    height: int
    width: int

    @property
    def half(self) -> tuple[int, int]:
        """Height and width of a phase, and of the plane of half the size."""
        return (self.height + 1) // 2, (self.width + 1) // 2

    @property
    def stride(self) -> int:
        """Numbers in a row."""
        return self.half[1] + 2

    @property
    def size(self) -> int:
        """Numbers in a phase."""
        return (self.half[0] + 2) * self.stride

    def zeros(self, dtype: DTypeLike) -> Field:
        """Return a field of zeros."""
        return np.zeros((4, self.size), dtype)

    def rows(self, numbers: Numbers) -> NDArray[Any]:
        """Return a view (height / 2 + 2, width / 2 + 2) of a phase with its ring."""
        return numbers.reshape(-1, self.stride)

    def split(self, plane: NDArray[Any], field: Field) -> None:
        """Write a plane (H, W) into the phases of a field."""
        for part, phase in self._parts(plane, field):
            phase[...] = part

    def merge(self, field: Field, plane: NDArray[Any]) -> None:
        """Write the phases of a field into a plane (H, W)."""
        for part, phase in self._parts(plane, field):
            part[...] = phase

    def _parts(self, plane: NDArray[Any], field: Field) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        for number, phase in enumerate(field):
            part = plane[number // 2 :: 2, number % 2 :: 2]
            yield part, self.rows(phase)[1 : part.shape[0] + 1, 1 : part.shape[1] + 1]

    def neighbors(self, phase: int) -> tuple[tuple[int, int], ...]:
        """Return of the four neighbors in which phase they are and by how many numbers further on."""
        (beside, sideways), (above, upward) = _BESIDE[phase], _ABOVE[phase]
        return (beside, 0), (beside, sideways), (above, 0), (above, upward * self.stride)

    def ends(self) -> Iterator[tuple[int, Any]]:
        """Yield each phase that lies at an end of the plane, with what cuts this end out of its `rows`."""
        for phase in range(4):
            row, column = divmod(phase, 2)
            cuts = (
                (row == 0, np.s_[1]),
                (row == (self.height - 1) % 2, np.s_[-2]),
                (column == 0, np.s_[:, 1]),
                (column == (self.width - 1) % 2, np.s_[:, -2]),
            )
            yield from ((phase, cut) for there, cut in cuts if there)

    def runs(self, weight: Field) -> list[tuple[int, int]]:
        """Return (start, stop) of runs outside the ring that hold whatever is not zero in some phase of a field."""
        start, stop = self.stride + 1, self.size - self.stride - 1
        starts = np.arange(start, stop, SHORTEST)
        used = np.add.reduceat((weight[:, :stop] != 0).any(axis=0), starts) > 0
        runs: list[tuple[int, int]] = []
        for begin in starts[used].tolist():
            end = min(begin + SHORTEST, stop)
            if runs and runs[-1][1] == begin and end - runs[-1][0] <= LONGEST:
                runs[-1] = runs[-1][0], end
            else:
                runs.append((begin, end))
        return runs
