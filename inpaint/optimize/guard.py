"""Going back when an optimization falls: a snapshot of everything that a step changes, and the rule when to use it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inpaint.optimize.averaging import Average


@dataclass(frozen=True)
class Snapshot:
    """Copies of the parameters, of the optimizer's whole state and of the average, which share no memory with them."""

    parameters: tuple[Tensor, ...]
    optimizer: dict[str, Any]
    average: Average

    @classmethod
    def of(cls, parameters: Sequence[Tensor], optimizer: torch.optim.Optimizer, average: Average) -> Snapshot:
        """Copy the present state."""
        values = tuple(parameter.detach().clone() for parameter in parameters)
        return cls(values, copy.deepcopy(optimizer.state_dict()), average)

    @torch.no_grad()
    def restore(self, parameters: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> Average:
        """Put parameters and optimizer back, its learning rates apart, and return the average of that time."""
        for parameter, value in zip(parameters, self.parameters, strict=True):
            parameter.copy_(value)
        rates = [group["lr"] for group in optimizer.param_groups]
        optimizer.load_state_dict(copy.deepcopy(self.optimizer))
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        return self.average
