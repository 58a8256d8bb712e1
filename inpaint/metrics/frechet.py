"""The Frechet distance of two sets of features (Heusel et al., 2017, eq. 6): between the Gaussians that fit them."""

from __future__ import annotations

import numpy as np
import scipy.linalg  # type: ignore[import-untyped]
from numpy.typing import NDArray


def frechet_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), with covariances over N - 1.

    With A, B the centered features over sqrt(N - 1), so that C_a = A^T A, the eigenvalues of C_a C_b other than 0 are
    the squared singular values of A B^T: the trace of the root is the sum of the latter. Unlike roots of eigenvalues of
    C_a C_b, which torch-fidelity and others sum, this loses no digits where a covariance has less than full rank.

    Args:
        a, b: (N, D) and (M, D), N and M at least 2.

    Returns:
        At least 0, in squared units of the features.
    """
    shift = a.mean(axis=0) - b.mean(axis=0)
    roots = [_centered(each) for each in (a, b)]
    spread = sum(float(np.sum(root**2)) for root in roots)
    left, right = map(_smaller, roots)
    common = np.linalg.svd(left @ right.T, compute_uv=False).sum()
    return max(0.0, float(shift @ shift) + spread - 2 * float(common))


def _centered(features: NDArray[np.float64]) -> NDArray[np.float64]:
    centered = np.asarray(features, np.float64) - features.mean(axis=0)
    return centered / np.sqrt(len(features) - 1)  # type: ignore[no-any-return]


def _smaller(root: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a root (at most D, D) of the same covariance: the triangle R of A = Q R where there are more images."""
    return scipy.linalg.qr(root, mode="r")[0][: root.shape[1]] if len(root) > root.shape[1] else root
