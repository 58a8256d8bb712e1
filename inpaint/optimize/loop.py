"""The loop that fits something to one picture: a network's weights or the picture itself, by Adam or L-BFGS.

What is fitted says only how far off it is (`Objective`). The loop owns everything else: steps and their schedule, the
average of the iterates, a budget of time, falls and values that are not finite, early stopping, and a record of every
iterate for whoever watches. A run has two parts: a search at a constant learning rate, and a short settling at the end,
in which it falls to a tenth.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from inpaint.errors import InpaintError, UsageError
from inpaint.optimize.averaging import Average, Moments
from inpaint.optimize.guard import Snapshot
from inpaint.optimize.randomness import LANGEVIN, RESTART, derived_seed, generator
from inpaint.optimize.steps import (
    Evaluation,
    Iterate,
    Line,
    LoopOptions,
    Moment,
    Objective,
    Outcome,
    Reason,
    Watch,
)
from inpaint.optimize.stopping import Stopper
from inpaint.types import StopFill

PACE_OF = 20  # iterations whose mean duration predicts the next one's


def optimize(
    objective: Objective,
    options: LoopOptions,
    *,
    seed: int = 0,
    budget_s: float | None = None,
    stopper: Stopper | None = None,
    watch: Watch | None = None,
    clock: Callable[[], float] = time.monotonic,
    run: int = 0,
) -> Outcome:
    """Fit the objective and return what came out.

    seed: of the loop's own noise (Langevin); everything else random is the objective's. budget_s: seconds after which
    no iteration begins. stopper: may end the search early. watch: sees every iterate; when it raises StopFill the run
    ends with what it has. run: number of this run among several, for the trace.

    Raises InpaintError when the loss is not finite more often than `max_falls` allows.
    """
    return _Run(objective, options, seed, budget_s, stopper, watch, clock, run).go()


def optimize_several(
    make: Callable[[int], Objective],
    options: LoopOptions,
    *,
    seed: int = 0,
    runs: int = 1,
    combine: Literal["mean", "best"] = "mean",
    budget_s: float | None = None,
    stopper: Callable[[], Stopper | None] | None = None,
    watch: Watch | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Fit `runs` objectives from different seeds, and return their mean picture or the one with the smallest loss.

    make: builds the objective of a seed; run 0 gets `seed` itself. Each run gets an equal share of the budget that is
    left. StopFill and interruptions end the whole.
    """
    if runs < 1:
        raise UsageError(f"runs must be at least 1, got {runs}")
    started, outcomes = clock(), list[Outcome]()
    for number in range(runs):
        own = seed if number == 0 else derived_seed(seed, RESTART, number)
        share = None if budget_s is None else max(budget_s - (clock() - started), 0.0) / (runs - number)
        outcomes.append(
            optimize(
                make(own),
                options,
                seed=own,
                budget_s=share,
                stopper=None if stopper is None else stopper(),
                watch=watch,
                clock=clock,
                run=number,
            )
        )
        if outcomes[-1].reason == "interrupted":
            break
    whole = replace(
        outcomes[-1],
        iterations=sum(outcome.iterations for outcome in outcomes),
        seconds=clock() - started,
        falls=sum(outcome.falls for outcome in outcomes),
        trace=tuple(line for outcome in outcomes for line in outcome.trace),
    )
    if combine == "mean":
        return replace(whole, best=torch.stack([outcome.best for outcome in outcomes]).mean(dim=0))
    lowest = min(outcomes, key=lambda outcome: outcome.trace[-1].loss)
    return replace(whole, picture=lowest.picture, average=lowest.average, best=lowest.best)


class _Run:
    """One run under way."""

    def __init__(
        self,
        objective: Objective,
        options: LoopOptions,
        seed: int,
        budget_s: float | None,
        stopper: Stopper | None,
        watch: Watch | None,
        clock: Callable[[], float],
        number: int,
    ) -> None:
        self.objective = objective
        self.options = options
        self.seed = seed
        self.budget_s = budget_s
        self.stopper = stopper
        self.watch = watch
        self.clock = clock
        self.number = number
        self.parameters = list(objective.parameters())
        self.optimizer = _optimizer(self.parameters, options)
        self.average = Average(options.average or 0.0)
        self.samples = Moments()
        self.trace: list[Line] = []
        self.falls = 0
        self.rate = 1.0  # halved by every fall
        self.snapshot: Snapshot | None = None
        self.snapshot_misfit = math.inf
        self.shape: torch.Size | None = None
        self.settle_from: tuple[int, float] | None = None  # iteration and seconds at which settling began
        self.settle_length = max(1, round(options.settle * options.iterations)) if options.settle else 0
        self.stopped_early = False
        self.started = clock()
        self._ends: deque[float] = deque([self.started], maxlen=PACE_OF + 1)

    def go(self) -> Outcome:
        done, reason = 0, None
        last: Evaluation | None = None
        while reason is None:
            moment = self._moment(done)
            self._set_rate(moment)
            last, event = self._step(moment)
            done += 1
            self._ends.append(self.clock())
            reason = self._ending(done) or self._stopping(done, last)
            if self._logs(done, event, reason):
                self._log(done, last, event)
            if self.watch is not None:
                try:
                    self.watch(self._record(done, last, event))
                except StopFill:
                    reason = "interrupted"
        assert last is not None
        return self._outcome(done, last, reason)

    # One iteration

    def _step(self, moment: Moment) -> tuple[Evaluation, str | None]:
        """Evaluate and take a step, or go back to the last snapshot instead; return what was seen and an event."""
        first: list[Evaluation] = []

        def closure() -> float | Tensor:
            self.optimizer.zero_grad(set_to_none=True)
            evaluation = self.objective.evaluate(moment)
            first.append(evaluation)
            evaluation.loss.backward()  # type: ignore[no-untyped-call]
            if self.options.clip is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters, self.options.clip)
            return evaluation.loss.detach()

        if self.options.optimizer == "lbfgs":
            self.optimizer.step(closure)  # type: ignore[arg-type]
            event = self._guard(moment, first[0])
        else:
            self.optimizer.zero_grad(set_to_none=True)
            evaluation = self.objective.evaluate(moment)
            first.append(evaluation)
            event = self._guard(moment, evaluation)
            if event is None:
                evaluation.loss.backward()  # type: ignore[no-untyped-call]
                if self.options.clip is not None:
                    torch.nn.utils.clip_grad_norm_(self.parameters, self.options.clip)
                self.optimizer.step()
                self._shake(moment)
        seen = first[0]
        if event is None:
            self._average(moment, seen)
        return seen, event

    def _guard(self, moment: Moment, seen: Evaluation) -> str | None:
        """Keep a snapshot of a good state, or go back to the last one and return what happened."""
        due = moment.iteration % self.options.check_every == 0
        # Where reading costs nothing, every iteration is looked at.
        if not due and seen.loss.device.type != "cpu":
            return None
        finite = bool(torch.isfinite(seen.loss.detach()))
        misfit = float(seen.loss.detach() if seen.misfit is None else seen.misfit) if due and finite else None
        if finite and seen.picture.shape != self.shape:
            # Another scale: fits cannot be compared.
            self.shape, self.snapshot_misfit, due = seen.picture.shape, math.inf, True
        limit = self.options.fall_db
        fell = (
            misfit is not None
            and limit is not None
            and seen.misfit is not None
            and misfit > self.snapshot_misfit * 10 ** (limit / 10)
        )
        if finite and not fell:
            if due:
                self.snapshot = Snapshot.of(self.parameters, self.optimizer, self.average)
                self.snapshot_misfit = math.inf if misfit is None else misfit
            return None
        if finite and self.falls >= self.options.max_falls:
            return None  # it falls however often it is put back: let it go on from here
        return self._go_back(moment, "the fit fell" if finite else "the loss was not finite")

    def _go_back(self, moment: Moment, what: str) -> str:
        number, rate = moment.iteration + 1, self.options.lr * self.rate
        if self.snapshot is None or self.falls >= self.options.max_falls:
            raise InpaintError(
                f"{what} at iteration {number} (learning rate {rate:g}, {self.falls} times put back before); "
                "try a smaller learning rate, another seed, or float32"
            )
        self.average = self.snapshot.restore(self.parameters, self.optimizer)
        self.falls += 1
        self.rate /= 2
        return f"{what} at iteration {number}: went back to the last good state, learning rate halved"

    @torch.no_grad()
    def _shake(self, moment: Moment) -> None:
        """Add the noise of Langevin dynamics to every convolution's weights (Cheng et al. 2019, arXiv 1904.07457)."""
        if self.options.langevin is None:
            return
        deviation = self.options.langevin * self.optimizer.param_groups[0]["lr"]
        draw = generator(self.seed, LANGEVIN, moment.iteration, device=self.parameters[0].device)
        for parameter in self.parameters:
            if parameter.ndim == 4:
                noise = torch.randn(parameter.shape, generator=draw, device=parameter.device, dtype=parameter.dtype)
                parameter.add_(noise, alpha=deviation)

    @torch.no_grad()
    def _average(self, moment: Moment, seen: Evaluation) -> None:
        if self.options.average is not None and moment.progress >= self.options.average_from:
            self.average = self.average.with_picture(seen.picture, valid=torch.isfinite(seen.loss.detach()))
        if (
            self.options.langevin is not None
            and moment.progress >= self.options.burn_in
            and moment.iteration % self.options.sample_every == 0
        ):
            self.samples.add(seen.picture)

    # The schedule

    def _elapsed(self) -> float:
        return self._ends[-1] - self.started

    def _moment(self, done: int) -> Moment:
        progress = done / self.options.iterations
        if self.budget_s is not None:
            progress = max(progress, self._elapsed() / self.budget_s if self.budget_s > 0 else 1.0)
        if self.settle_length and self.settle_from is None and progress >= 1 - self.options.settle:
            self.settle_from = (done, self._elapsed())
        settling = self.settle_from is not None
        if settling:
            progress = max(progress, 1 - self.options.settle * (1 - self._settled(done)))
        return Moment(iteration=done, progress=min(progress, 1.0), settling=settling)

    def _settled(self, done: int) -> float:
        """Return how much of the settling is over, 0 to 1."""
        if self.settle_from is None:
            return 0.0
        first, since = self.settle_from
        share = (done - first) / self.settle_length
        if self.budget_s is not None:
            share = max(share, (self._elapsed() - since) / max(self.budget_s - since, 1e-9))
        return min(share, 1.0)

    def _set_rate(self, moment: Moment) -> None:
        factor = self.rate
        if moment.settling:
            low = self.options.settle_lr
            factor *= low + (1 - low) * (1 + math.cos(math.pi * self._settled(moment.iteration))) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.lr * factor

    def _ending(self, done: int) -> Reason | None:
        """Return why the run ends here, or None."""
        if self.budget_s is not None and self._elapsed() + self._pace() > self.budget_s:
            return "budget"
        if self.settle_from is not None and done - self.settle_from[0] >= self.settle_length:
            return "stopped early" if self.stopped_early else "finished"
        if done >= self.options.iterations:
            return "stopped early" if self.stopped_early else "finished"
        return None

    def _stopping(self, done: int, seen: Evaluation) -> Reason | None:
        """Ask the stopper; when it ends the search the settling begins, or the run ends where there is none."""
        if self.stopper is None or self.settle_from is not None:
            return None
        if not self.stopper.update(done, seen.picture, self.average.value):
            return None
        self.stopped_early = True
        if not self.settle_length:
            return "stopped early"
        # The same share of a run that turned out shorter.
        share = self.options.settle / (1 - self.options.settle)
        self.settle_length = max(1, min(self.settle_length, round(share * done)))
        self.settle_from = (done, self._elapsed())
        return None

    def _pace(self) -> float:
        """Return the mean duration of the last iterations in seconds."""
        return (self._ends[-1] - self._ends[0]) / max(len(self._ends) - 1, 1)

    def _total(self, done: int) -> int:
        total = self.options.iterations
        if self.settle_from is not None:
            total = min(total, self.settle_from[0] + self.settle_length)
        if self.budget_s is not None and self._pace() > 0:
            total = min(total, done + int(max(self.budget_s - self._elapsed(), 0.0) / self._pace()))
        return max(total, done)

    # Records

    def _logs(self, done: int, event: str | None, reason: Reason | None) -> bool:
        return event is not None or reason is not None or (done - 1) % self.options.check_every == 0

    def _log(self, done: int, seen: Evaluation, event: str | None) -> None:
        rate = float(self.optimizer.param_groups[0]["lr"])
        self.trace.append(
            Line(
                run=self.number,
                iteration=done,
                elapsed_s=self._elapsed(),
                loss=float(seen.loss.detach()),
                lr=rate,
                event=event,
            )
        )

    def _record(self, done: int, seen: Evaluation, event: str | None) -> Iterate:
        total = self._total(done)
        return Iterate(
            done=done,
            total=total,
            elapsed_s=self._elapsed(),
            remaining_s=(total - done) * self._pace(),
            lr=float(self.optimizer.param_groups[0]["lr"]),
            loss=seen.loss.detach(),
            picture=seen.picture,
            average=self.average.value,
            settling=self.settle_from is not None,
            run=self.number,
            event=event,
        )

    def _outcome(self, done: int, last: Evaluation, reason: Reason) -> Outcome:
        average = self.average.value if self.samples.mean is None else self.samples.mean
        best = last.picture if average is None else average
        if self.stopped_early and self.stopper is not None and self.stopper.best is not None:
            best = self.stopper.best
        if not bool(torch.isfinite(best).all()):
            raise InpaintError(
                f"the picture was not finite after {done} iterations; try a smaller learning rate or another seed"
            )
        return Outcome(
            picture=last.picture,
            average=average,
            best=best,
            deviation=self.samples.deviation,
            iterations=done,
            seconds=self._elapsed(),
            reason=reason,
            falls=self.falls,
            trace=tuple(self.trace),
        )


def _optimizer(parameters: Sequence[Tensor], options: LoopOptions) -> torch.optim.Optimizer:
    if options.optimizer == "lbfgs":
        # One iteration of ours is one of its own; its memory of directions lives on between them.
        return torch.optim.LBFGS(
            parameters, lr=options.lr, max_iter=1, max_eval=25, history_size=20, line_search_fn="strong_wolfe"
        )
    return torch.optim.Adam(
        parameters, lr=options.lr, betas=options.betas, weight_decay=options.weight_decay, fused=options.fused
    )
