"""What the loop and those around it tell each other: options, evaluations, iterates, outcomes. All immutable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from pydantic import Field
from torch import Tensor

from inpaint.options import Options

Reason: TypeAlias = Literal["finished", "budget", "stopped early", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Where in its run an evaluation takes place. progress: 0 to 1 over the whole run, by iterations or by time."""

    iteration: int
    progress: float
    settling: bool = False


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How far off the present state is.

    loss: 0-dim, with its gradient. picture: (1, C, H, W) without one, what this state paints. misfit: 0-dim, the mean
    squared error to the data alone, by which falls are noticed; None switches that off.
    """

    loss: Tensor
    picture: Tensor
    misfit: Tensor | None = None


class Objective(Protocol):
    """What is fitted. An evaluation is a function of the parameters and of the moment: its random draws derive from
    the iteration, because L-BFGS asks several times in one."""

    def parameters(self) -> Sequence[Tensor]:
        """Return what the optimizer changes, leaves that require gradients."""
        ...

    def evaluate(self, moment: Moment) -> Evaluation:
        """Compute loss and picture of the present parameters."""
        ...


class LoopOptions(Options):
    """How a run goes on; defaults are those of Deep Image Prior where it says something."""

    iterations: int = Field(3000, ge=1)
    optimizer: Literal["adam", "lbfgs"] = "adam"
    lr: float = Field(0.01, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(0.0, ge=0)
    fused: bool = True  # Adam in one kernel
    clip: float | None = Field(None, gt=0)  # largest norm of the gradient
    settle: float = Field(0.1, ge=0, lt=1)  # share of the run over which the learning rate falls
    settle_lr: float = Field(0.1, gt=0, le=1)  # what it falls to, as a share of lr
    average: float | None = Field(0.99, gt=0, lt=1)  # decay per iterate; None: no average
    average_from: float = Field(0.1, ge=0, lt=1)  # share of the run before the average begins
    check_every: int = Field(50, ge=1)  # iterations between looks for a fall, snapshots and lines of the trace
    fall_db: float | None = Field(5.0, gt=0)  # what counts as a fall; None: only what is not finite
    max_falls: int = Field(5, ge=0)
    langevin: float | None = Field(None, gt=0)  # noise after each step, standard deviation in learning rates
    burn_in: float = Field(0.35, ge=0, lt=1)  # share of the run before Langevin samples are taken
    sample_every: int = Field(50, ge=1)


@dataclass(frozen=True, kw_only=True)
class Iterate:
    """One iteration as a watcher sees it; reading `loss` waits for an accelerator.

    done counts from 1; total is the present estimate. average: the mean of the iterates so far, None before it begins.
    event: what happened that a person should know.
    """

    done: int
    total: int
    elapsed_s: float
    remaining_s: float | None
    lr: float
    loss: Tensor
    picture: Tensor
    average: Tensor | None
    settling: bool
    run: int = 0
    event: str | None = None

    @property
    def best(self) -> Tensor:
        """The picture to show: the average where there is one."""
        return self.picture if self.average is None else self.average


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the trace, plain numbers."""

    run: int
    iteration: int
    elapsed_s: float
    loss: float
    lr: float
    event: str | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run gave.

    picture: the last iterate's. average: the mean of the iterates, or of the Langevin samples; None without.
    best: what to use, (1, C, H, W). deviation: standard deviation of the Langevin samples, None without.
    """

    picture: Tensor
    average: Tensor | None
    best: Tensor
    deviation: Tensor | None
    iterations: int
    seconds: float
    reason: Reason
    falls: int
    trace: tuple[Line, ...] = field(default=())


Watch: TypeAlias = Callable[[Iterate], None]
