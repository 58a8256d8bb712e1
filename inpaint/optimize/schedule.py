"""How far a run is, by iterations or by the clock: first a search at a constant learning rate, then a cooldown."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from pydantic import Field

from inpaint.optimize.base import Reason, StepInfo
from inpaint.options import Options

PACE_OF = 20  # iterations whose mean duration predicts the next one's


class CooldownOptions(Options):
    """The last part of a run, in which the learning rate decreases by a half cosine.

    Args:
        share: Of the run; 0: none.
        lr: What the rate decreases to, as a share of itself.
    """

    share: float = Field(0.1, ge=0, lt=1)
    lr: float = Field(0.1, gt=0, le=1)


class Schedule:
    """Where one run stands: `done` counts its iterations, `stopped_early` says whether the search was ended early.

    Args:
        iterations: At most.
        budget_s: Seconds after which no iteration begins.
    """

    def __init__(
        self, iterations: int, options: CooldownOptions, *, budget_s: float | None, clock: Callable[[], float]
    ) -> None:
        self.iterations = iterations
        self.options = options
        self.budget_s = budget_s
        self.done = 0
        self._clock = clock
        self._started = clock()
        self._ends: deque[float] = deque([self._started], maxlen=PACE_OF + 1)
        self._length = max(1, round(options.share * iterations)) if options.share else 0  # of the cooldown
        self._cooling_from: tuple[int, float] | None = None  # iteration and seconds at which it began
        self.stopped_early = False

    @property
    def cooling(self) -> bool:
        """Whether the cooldown has begun."""
        return self._cooling_from is not None

    @property
    def elapsed_s(self) -> float:
        """Seconds from the start to the end of the last iteration."""
        return self._ends[-1] - self._started

    @property
    def pace_s(self) -> float:
        """Mean duration of the last iterations."""
        return (self._ends[-1] - self._ends[0]) / max(len(self._ends) - 1, 1)

    @property
    def total(self) -> int:
        """How many iterations it will be, by the present pace."""
        total = self.iterations
        if self._cooling_from is not None:
            total = min(total, self._cooling_from[0] + self._length)
        if self.budget_s is not None and self.pace_s > 0:
            total = min(total, self.done + int(max(self.budget_s - self.elapsed_s, 0.0) / self.pace_s))
        return max(total, self.done)

    @property
    def lr_factor(self) -> float:
        """Of the learning rate of the next iteration: 1 in the search."""
        if self._cooling_from is None:
            return 1.0
        low = self.options.lr
        return low + (1 - low) * (1 + math.cos(math.pi * self._cooled())) / 2

    def next_step(self) -> StepInfo:
        """Return where the next iteration stands; begins the cooldown when it is time."""
        progress = self.done / self.iterations
        if self.budget_s is not None:
            progress = max(progress, self.elapsed_s / self.budget_s if self.budget_s > 0 else 1.0)
        if self._length and not self.cooling and progress >= 1 - self.options.share:
            self._cooling_from = (self.done, self.elapsed_s)
        if self.cooling:
            progress = max(progress, 1 - self.options.share * (1 - self._cooled()))
        return StepInfo(iteration=self.done, progress=min(progress, 1.0), cooldown=self.cooling)

    def advance(self) -> Reason | None:
        """Count an iteration as done, and return why the run ends here, or None."""
        self.done += 1
        self._ends.append(self._clock())
        if self.budget_s is not None and self.elapsed_s + self.pace_s > self.budget_s:
            return "budget"
        cooled = self._cooling_from is not None and self.done - self._cooling_from[0] >= self._length
        if cooled or self.done >= self.iterations:
            return "stopped early" if self.stopped_early else "finished"
        return None

    def end_search(self) -> Reason | None:
        """Begin the cooldown now; where there is none, the run ends and the reason comes back."""
        self.stopped_early = True
        if not self._length:
            return "stopped early"
        # The same share of a run that turned out shorter.
        share = self.options.share / (1 - self.options.share)
        self._length = max(1, min(self._length, round(share * self.done)))
        self._cooling_from = (self.done, self.elapsed_s)
        return None

    def _cooled(self) -> float:
        """Return how much of the cooldown is over, 0 to 1."""
        assert self._cooling_from is not None
        first, since = self._cooling_from
        share = (self.done - first) / self._length
        if self.budget_s is not None:
            share = max(share, (self.elapsed_s - since) / max(self.budget_s - since, 1e-9))
        return min(share, 1.0)
