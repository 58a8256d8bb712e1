"""One stage after the other: the loop's options, shares of the time, and what is told of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from inpaint.optimize.base import IntermediateResult, Objective, OptimizeResult
from inpaint.optimize.guard import GuardOptions
from inpaint.optimize.loop import LoopOptions, optimize
from inpaint.optimize.optimizers import LbfgsOptions
from inpaint.optimize.schedule import CooldownOptions
from inpaint.types import Progress, ProgressCallback

# Divergence is noticed by the line search; what is not finite goes back to the start, with half the step.
LOOP = LoopOptions(
    optimizer="lbfgs",
    lbfgs=LbfgsOptions(history=20, line_search="strong_wolfe"),
    lr=1.0,
    averaging=None,
    cooldown=CooldownOptions(share=0.0),
    guard=GuardOptions(divergence_db=None, retries=3),
    check_every=1_000_000,
)
# The defaults of torch, as the authors' program takes them: steps of length 1, whatever comes of them.
ORIGINS_LOOP = LOOP.model_copy(
    update={
        "lbfgs": LbfgsOptions(history=100, line_search=None),
        "guard": GuardOptions(divergence_db=None, retries=0),
    }
)
PREVIEW_EVERY_S = 0.5  # at most: a preview is a whole frame
ROWS = 50  # of the record of a stage, about


@dataclass
class Stages:
    """Runs stages within one budget and reports them as one piece of work.

    Args:
        iterations: Of every stage to come, for estimates.
        progress: Called with every step; may raise StopFill.
        budget_s: Of all stages; each may take its share by iterations of what is left.
        show: Turns a stage's image (1, 3, h, w) into the whole preview (1, 3, H, W) in [0, 1]. Not every step has one.
    """

    iterations: list[int]
    progress: ProgressCallback | None
    budget_s: float | None
    show: Callable[[Tensor], Tensor]
    interrupted: bool = field(default=False, init=False)
    records: list[dict[str, Any]] = field(default_factory=list, init=False)
    _shown: float = field(default=-math.inf, init=False)  # when there was a preview
    _started: float = field(default_factory=time.monotonic, init=False)

    def run(
        self, name: str, objective: Objective, options: LoopOptions, *, state: Mapping[str, Any] | None = None
    ) -> OptimizeResult | None:
        """Run the next stage; None where it has no iterations, or where the work was interrupted before.

        Args:
            name, objective, options: What it is called, and what `optimize` is given.
            state: Of an earlier stage's optimizer, to go on from.

        Returns:
            What the loop returned; the objective holds the last state.
        """
        done, number = sum(record["planned"] for record in self.records), len(self.records)
        planned, rest = self.iterations[number], sum(self.iterations[number + 1 :])
        record: dict[str, Any] = {"stage": name, "planned": planned, "iterations": 0, "losses": []}
        self.records.append(record)
        if self.interrupted or not planned:
            return None
        every = max(planned // ROWS, 1)

        def tell(now: IntermediateResult) -> None:
            if now.done % every == 0 or now.done in (1, planned):
                record["losses"].append([now.done, round(now.elapsed_s, 3), float(now.loss)])
            if self.progress is None:
                return
            pace_s = now.elapsed_s / now.done
            preview = None
            if time.monotonic() - self._shown >= PREVIEW_EVERY_S:
                preview, self._shown = self.show(now.image).float().cpu(), time.monotonic()
            self.progress(
                Progress(
                    done=done + now.done,
                    total=done + max(now.total, now.done) + rest,
                    remaining_s=now.remaining_s + rest * pace_s,
                    preview=preview,
                )
            )

        left = None
        if self.budget_s is not None:
            left = max(self.budget_s - (time.monotonic() - self._started), 0.0) * planned / (planned + rest)
        chosen = options.model_copy(update={"iterations": planned})
        result = optimize(objective, chosen, budget_s=left, callback=tell, state=state)
        self.interrupted = result.reason == "interrupted"
        record |= {"iterations": result.iterations, "elapsed_s": round(result.elapsed_s, 3), "reason": result.reason}
        return result

    def skip(self, name: str) -> None:
        """Leave the next stage out: nothing is made for it."""
        planned = self.iterations[len(self.records)]
        self.records.append({"stage": name, "planned": planned, "iterations": 0, "losses": []})

    def tell(self, share: float) -> None:
        """Report a share of the next stage, which is no optimization. What `progress` raises goes through."""
        if self.progress is not None:
            done = sum(record["planned"] for record in self.records)
            planned = self.iterations[len(self.records)]
            rest = sum(self.iterations[len(self.records) :])
            self.progress(Progress(done=done + round(share * planned), total=done + rest))


def noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Return normal noise of deviation 1, drawn on the CPU so that every device gets the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
