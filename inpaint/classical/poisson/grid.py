"""The system of equations that a mask stands for, on a grid of pixels with four neighbors each.

For every unknown pixel p, with N_p its neighbors inside the frame (four, three at the frame's border, two in a corner):

    (|N_p| + screen) h_p - (sum of h_q over unknown q in N_p) = b_p

It is what the least squares of Perez, Gangnet and Blake (2003, eq. 7) ask for where h is 0 at every known pixel. A
neighbor that the frame lacks is simply missing (Neumann), a known one counts as zero (Dirichlet).
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Mask: TypeAlias = NDArray[np.bool_]
Plane: TypeAlias = NDArray[np.floating[Any]]
"""One channel, (H, W)."""

Cut: TypeAlias = tuple[slice, ...]
PAIRS: tuple[tuple[Cut, Cut], ...] = (
    ((slice(None, -1),), (slice(1, None),)),
    ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
)
"""For each axis what cuts out of a plane the first and the second pixel of every two neighbors along it."""


class PlaneSolver(Protocol):
    """What is made once for a mask and then solves for one channel after another."""

    def solve(self, right: Plane) -> Plane:
        """Return h (H, W), 0 where known, for the right side b (H, W); b is 0 where known."""
        ...


def degree(shape: tuple[int, int]) -> NDArray[np.int8]:
    """Return |N_p|, how many neighbors inside the frame each pixel has, (H, W)."""
    return neighbor_sum(np.ones(shape, np.int8))


def neighbor_sum(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the sum of the neighbors of every pixel, (H, W); missing ones count as zero.

    Example:
        >>> neighbor_sum(np.array([[1, 2, 3]]))
        array([[2, 4, 2]])
    """
    total = np.zeros_like(plane)
    for first, second in PAIRS:
        total[first] += plane[second]
        total[second] += plane[first]
    return total


def is_singular(unknown: Mask, screen: float) -> bool:
    """Return whether any constant may be added to a solution: nothing is known, nor held by the screen."""
    return screen == 0 and bool(unknown.all())
