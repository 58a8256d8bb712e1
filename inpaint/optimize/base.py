"""What an objective, the loop and its callbacks tell each other; all of it immutable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from inpaint.types import OneLine

Reason: TypeAlias = Literal["finished", "budget", "stopped early", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class StepInfo:
    """Where in its run an evaluation takes place.

    Args:
        iteration: From 0.
        progress: 0 to 1 over the whole run, by iterations or by time, whichever is further.
        cooldown: Whether the run is in its last part, in which the learning rate decreases.
    """

    iteration: int
    progress: float
    cooldown: bool = False


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Evaluation(OneLine):
    """How good the present parameters are.

    Args:
        loss: 0-dim, with its gradient.
        image: (1, C, H, W) without one, what these parameters paint.
        mse: 0-dim, the mean squared error to the data alone, by which divergence is noticed; None switches that off.
    """

    loss: Tensor
    image: Tensor
    mse: Tensor | None = None


class Objective(Protocol):
    """What is fitted. An evaluation is a function of the parameters and the step alone: its random draws derive from
    the iteration, because L-BFGS asks several times in one."""

    def parameters(self) -> Sequence[Tensor]:
        """Return what the optimizer changes, leaves that require gradients: a network's weights, or the image."""
        ...

    def evaluate(self, step: StepInfo) -> Evaluation:
        """Compute loss and image of the present parameters."""
        ...


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class IntermediateResult(OneLine):
    """One iteration as a callback gets it; reading `loss` waits for an accelerator.

    Args:
        done: Iterations so far, this one included.
        total: How many it will be, by the present estimate.
        elapsed_s, remaining_s: Time so far, and until `total`.
        lr: Learning rate of this iteration.
        loss, image: As evaluated before its step.
        average: Of the images so far, None before it begins.
        cooldown: Whether the last part of the run has begun.
        run: Which of several runs this is.
        event: What happened that the user should know.
    """

    done: int
    total: int
    elapsed_s: float
    remaining_s: float
    lr: float
    loss: Tensor
    image: Tensor
    average: Tensor | None
    cooldown: bool
    run: int = 0
    event: str | None = None

    @property
    def best(self) -> Tensor:
        """The image to show: the average where there is one."""
        return self.image if self.average is None else self.average


@contextmanager
def gradients_on() -> Iterator[None]:
    """Record gradients within the block, whatever the caller has switched off around a fill."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


Callback: TypeAlias = Callable[[IntermediateResult], None]
"""Called after every iteration; raises `StopFill` to end the run with what it has."""


@dataclass(frozen=True, kw_only=True)
class TraceRow:
    """One row of a run's record, plain numbers."""

    run: int
    iteration: int
    elapsed_s: float
    loss: float
    lr: float
    event: str | None = None


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class OptimizeResult(OneLine):
    """What a run gave.

    Args:
        image: (1, C, H, W), the last one.
        average: Of the images, or of the Langevin samples; None without.
        best: What to use.
        searched: What there was before the cooldown, in which pixels that were held out are put back.
        deviation: Standard deviation of the Langevin samples; None without.
        iterations, elapsed_s, reason: How long it took, and why it ended.
        divergences: How often it went back to an earlier state.
        trace: Rows of its record.
        state: What the optimizer knows, as its state dict; shares memory with the optimizer.
    """

    image: Tensor
    average: Tensor | None
    best: Tensor
    searched: Tensor
    deviation: Tensor | None
    iterations: int
    elapsed_s: float
    reason: Reason
    divergences: int
    trace: tuple[TraceRow, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
