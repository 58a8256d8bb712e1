"""Values of an objective that were computed before: a line search ends where the next iteration begins."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Known(NamedTuple):
    """What a variable was evaluated to.

    Args:
        values: Of the variable, a copy.
        loss: 0-dim, without gradient.
        gradient: Shaped like the values.
    """

    values: Tensor
    loss: Tensor
    gradient: Tensor

    def about(self, variable: Tensor) -> bool:
        """Return whether the variable still has the values."""
        return torch.equal(self.values, variable)

    def answer(self, variable: Tensor) -> Tensor:
        """Return the loss as a function of the variable, with its gradient."""
        found: Tensor = _Answered.apply(variable, self.loss, self.gradient)
        return found


class _Answered(torch.autograd.Function):
    """A value that was computed before, and its gradient."""

    @staticmethod
    def forward(ctx: Any, variable: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.gradient = gradient
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *passing: Tensor) -> tuple[Tensor, None, None]:
        return (ctx.gradient * passing[0]).to(ctx.gradient), None, None
