"""The kernel distance of two sets of features: KID (Binkowski et al., "Demystifying MMD GANs", 2018)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SUBSETS, SUBSET_SIZE = 100, 1000
SEED = 2020
DEGREE, OFFSET = 3, 1.0
"""All as in torch-fidelity when nothing else is said."""


def kernel_distance(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    *,
    subsets: int = SUBSETS,
    size: int = SUBSET_SIZE,
    seed: int = SEED,
) -> float:
    """Return the squared maximum mean discrepancy under the kernel (x y / D + 1)^3, averaged over random subsets.

    Unbiased: its expectation does not depend on the number of images, is 0 for equal laws, and a value may lie below.

    Args:
        a, b: (N, D) and (M, D), at least 2 rows.
        subsets: How many pairs of subsets are drawn.
        size: Of a subset, at most the number of rows: with no more rows than this all of them are taken, once.
        seed: Of what is drawn.
    """
    size = min(size, len(a), len(b))
    if size == len(a) == len(b):
        return _discrepancy(a, b)
    draws = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        rows = [draws.choice(len(features), size, replace=False) for features in (a, b)]
        values.append(_discrepancy(a[rows[0]], b[rows[1]]))
    return float(np.mean(values))


def _discrepancy(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the unbiased estimate for sets of one size: pairs of an image with itself do not count within a set."""
    count = len(a)
    within = sum(float(kernel.sum() - np.trace(kernel)) for kernel in (_kernel(a, a), _kernel(b, b)))
    return within / (count * (count - 1)) - 2 * float(_kernel(a, b).mean())


def _kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return (a @ b.T / a.shape[1] + OFFSET) ** DEGREE  # type: ignore[no-any-return]
