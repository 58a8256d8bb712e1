"""Adam and L-BFGS: their options, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from pydantic import Field
from torch import Tensor

from inpaint.options import Options

OptimizerName: TypeAlias = Literal["adam", "lbfgs"]


class AdamOptions(Options):
    """Adam with one step per iteration.

    Args:
        betas: Decays of its two averages.
        weight_decay: Weight of the squared norm of the parameters.
        fused: Compute in one kernel.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(0.0, ge=0)
    fused: bool = True


class LbfgsOptions(Options):
    """L-BFGS with one direction per iteration; what it knows of the curvature lives on between them.

    Args:
        history: Earlier steps that it remembers.
        line_search: strong_wolfe evaluates until a step is good enough; None takes the learning rate as its length.
        evaluations: Of the objective per iteration, at most: one where it stands, the others of the line search.
    """

    history: int = Field(20, ge=1)
    line_search: Literal["strong_wolfe"] | None = "strong_wolfe"
    evaluations: int = Field(25, ge=2)


def make_optimizer(
    name: OptimizerName, parameters: Sequence[Tensor], *, lr: float, adam: AdamOptions, lbfgs: LbfgsOptions
) -> torch.optim.Optimizer:
    """Return the optimizer of that name; the options of the other one are not read."""
    if name == "adam":
        return torch.optim.Adam(parameters, lr=lr, betas=adam.betas, weight_decay=adam.weight_decay, fused=adam.fused)
    return torch.optim.LBFGS(
        parameters,
        lr=lr,
        max_iter=1,
        max_eval=lbfgs.evaluations - 1,  # torch's line search takes one more
        history_size=lbfgs.history,
        line_search_fn=lbfgs.line_search,
    )
