"""Distances between normal distributions, for which covariances need square roots.

The squared Wasserstein distance of N(m, A) and N(n, B) is |m - n|^2 + tr(A + B - 2 (B^1/2 A B^1/2)^1/2).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

STEPS = 12  # of crowsonkb/style-transfer-pytorch


def newton_schulz_root(matrices: Tensor) -> Tensor:
    """Return square roots of symmetric positive matrices (..., C, C) as exactly 12 steps of Newton and Schulz give.

    Of matrices with small eigenvalues they are not yet the roots. The gradient, too, is what 12 steps give, of the
    iteration that solves Lyapunov's equation.
    """
    found: Tensor = _NewtonSchulz.apply(matrices)
    return found


class _NewtonSchulz(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, matrices: Tensor) -> Tensor:
        size = _norm(matrices)
        three = 3 * _identity(matrices)
        y, z = matrices / size, _identity(matrices).expand_as(matrices)
        for _ in range(STEPS):
            t = (three - z @ y) / 2
            y, z = y @ t, t @ z
        root = y * size.sqrt()
        ctx.save_for_backward(root)
        return root

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *passing: Tensor) -> Tensor:
        (root,) = ctx.saved_tensors
        size, three = _norm(root), 3 * _identity(root)
        a, q = root / size, passing[0] / size
        for _ in range(STEPS):
            square = a @ a
            q = (q @ (three - square) - a.mT @ (a.mT @ q - q @ a)) / 2
            a = a @ (three - square) / 2
        return q / 2


def root(matrix: Tensor) -> Tensor:
    """Return the square root of a symmetric positive matrix (C, C), without gradient."""
    with torch.no_grad():
        values, vectors = torch.linalg.eigh(matrix)
        found: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.mT
        return found


def trace_of_root(matrix: Tensor) -> Tensor:
    """Return the trace of the square root of a symmetric positive matrix (C, C): the sum of its eigenvalues' roots."""
    values: Tensor = torch.linalg.eigvalsh(matrix)
    return values.clamp_min(torch.finfo(values.dtype).tiny).sqrt().sum()


def _norm(matrices: Tensor) -> Tensor:
    return matrices.square().sum(dim=(-2, -1), keepdim=True).sqrt()


def _identity(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)
