"""The system solved by a sparse factorization in float64: exact to rounding, for some hundred thousand unknowns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array  # type: ignore[import-untyped]
from scipy.sparse.linalg import splu  # type: ignore[import-untyped]

from inpaint.classical.poisson.grid import PAIRS, Mask, Plane


class Direct:
    """SuperLU on the unknown pixels. The matrix is symmetric and positive definite, so nothing is pivoted.

    Args:
        unknown: (H, W).
        diagonal: (H, W), not read where known.
    """

    def __init__(self, unknown: Mask, diagonal: NDArray[Any]) -> None:
        self._unknown = unknown
        self._factors = splu(
            matrix(unknown, diagonal),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def solve(self, right: Plane) -> Plane:
        """See `PlaneSolver`."""
        found = np.zeros_like(right)
        found[self._unknown] = self._factors.solve(right[self._unknown].astype(np.float64))
        return found


def matrix(unknown: Mask, diagonal: NDArray[Any]) -> csc_array:
    """Return the system as a sparse matrix, a row for each unknown pixel in reading order."""
    count = np.count_nonzero(unknown)
    number = np.zeros(unknown.shape, np.int32)
    number[unknown] = np.arange(count, dtype=np.int32)
    rows: list[NDArray[np.int32]] = []
    columns: list[NDArray[np.int32]] = []
    for first, second in PAIRS:
        both = unknown[first] & unknown[second]
        rows.append(number[first][both])
        columns.append(number[second][both])
    row, column = np.concatenate(rows), np.concatenate(columns)
    links = coo_array((np.full(len(row), -1.0), (row, column)), shape=(count, count))
    each = np.arange(count, dtype=np.int32)
    own = coo_array((diagonal[unknown].astype(np.float64), (each, each)), shape=(count, count))
    return csc_array(links + links.T + own)
