"""Going back when a run diverges: a snapshot of everything that a step changes, and the rule when to use it."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from inpaint.errors import InpaintError
from inpaint.optimize.averaging import Average
from inpaint.optimize.base import Evaluation, StepInfo
from inpaint.options import Options


class GuardOptions(Options):
    """What counts as divergence, and how often a run goes back.

    Args:
        divergence_db: Rise of the mean squared error since the last snapshot; None: only what is not finite.
        retries: How often. After that a rise is let be, and what is not finite is an error.
    """

    divergence_db: float | None = Field(5.0, gt=0)
    retries: int = Field(5, ge=0)


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


@dataclass
class Guard:
    """Keeps a snapshot of the last good state of one run, and puts it back when the run diverges.

    `lr_factor` is halved every time, `divergences` counted.

    Args:
        check_every: Iterations between snapshots and comparisons with them; what is not finite is noticed in every
            iteration where reading the loss costs nothing (on a CPU).
    """

    options: GuardOptions
    parameters: Sequence[Tensor]
    optimizer: torch.optim.Optimizer
    check_every: int
    lr_factor: float = field(default=1.0, init=False)
    divergences: int = field(default=0, init=False)
    _snapshot: Snapshot | None = field(default=None, init=False)
    _snapshot_mse: float = field(default=math.inf, init=False)
    _shape: torch.Size | None = field(default=None, init=False)

    def check(self, step: StepInfo, evaluation: Evaluation, average: Average) -> tuple[str | None, Average]:
        """Compare an evaluation, before its step, with the last good state.

        Returns:
            What happened when the run was put back, and the average from which it goes on; None and the same average
            when all is well.

        Raises:
            InpaintError: The loss is not finite and there is no going back any more.
        """
        due = step.iteration % self.check_every == 0
        if not due and evaluation.loss.device.type != "cpu":
            return None, average
        finite = bool(torch.isfinite(evaluation.loss.detach()))
        mse = float(evaluation.mse) if due and finite and evaluation.mse is not None else None
        if finite and evaluation.image.shape != self._shape:
            # Another scale: errors cannot be compared.
            self._shape, self._snapshot_mse, due = evaluation.image.shape, math.inf, True
        limit = self.options.divergence_db
        diverged = mse is not None and limit is not None and mse > self._snapshot_mse * 10 ** (limit / 10)
        if finite and not diverged:
            if due:
                self._snapshot = Snapshot.of(self.parameters, self.optimizer, average)
                self._snapshot_mse = math.inf if mse is None else mse
            return None, average
        if finite and self.divergences >= self.options.retries:
            return None, average  # it diverges however often it is put back: let it go on from here
        return self._go_back(step, "the fit diverged" if finite else "the loss was not finite")

    def _go_back(self, step: StepInfo, what: str) -> tuple[str, Average]:
        number = step.iteration + 1
        if self._snapshot is None or self.divergences >= self.options.retries:
            lr = self.optimizer.param_groups[0]["lr"]
            raise InpaintError(
                f"{what} at iteration {number} (learning rate {lr:g}, {self.divergences} times put back before); "
                "try a smaller learning rate, another seed, or float32"
            )
        average = self._snapshot.restore(self.parameters, self.optimizer)
        self.divergences += 1
        self.lr_factor /= 2
        return f"{what} at iteration {number}: went back to the last good state, learning rate halved", average
