"""The loop that fits something to one image: a network's weights or the image itself, by Adam or L-BFGS.

What is fitted says only how good it is (`Objective`). The loop owns everything else: steps and their schedule, the
average of the iterates, a budget of time, divergence, early stopping, and a record of every iteration for callbacks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from pydantic import Field, model_validator
from torch import Tensor

from inpaint import seeds
from inpaint.errors import InpaintError, UsageError
from inpaint.optimize.averaging import Average, AveragingOptions, Langevin, LangevinOptions
from inpaint.optimize.base import (
    Callback,
    Evaluation,
    IntermediateResult,
    Objective,
    OptimizeResult,
    Reason,
    StepInfo,
    TraceRow,
)
from inpaint.optimize.guard import Guard, GuardOptions
from inpaint.optimize.optimizers import AdamOptions, LbfgsOptions, OptimizerName, make_optimizer
from inpaint.optimize.schedule import CooldownOptions, Schedule
from inpaint.optimize.stopping import Stopper
from inpaint.options import Options
from inpaint.types import StopFill

ObjectiveT = TypeVar("ObjectiveT", bound=Objective)


class LoopOptions(Options):
    """How a run goes on; defaults are those of Deep Image Prior where it says something.

    Args:
        iterations: At most.
        optimizer: adam or lbfgs; only the options of the one that is named are read.
        lr: Learning rate.
        clip: Largest norm of the gradient.
        averaging: None: no average.
        langevin: None: no noise.
        check_every: Iterations between snapshots, checks for divergence and rows of the trace.
    """

    iterations: int = Field(3000, ge=1)
    optimizer: OptimizerName = "adam"
    adam: AdamOptions = AdamOptions()
    lbfgs: LbfgsOptions = LbfgsOptions()
    lr: float = Field(0.01, gt=0)
    clip: float | None = Field(None, gt=0)
    cooldown: CooldownOptions = CooldownOptions()
    averaging: AveragingOptions | None = AveragingOptions()
    langevin: LangevinOptions | None = None
    guard: GuardOptions = GuardOptions()
    check_every: int = Field(50, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> LoopOptions:
        if self.langevin is not None and self.optimizer != "adam":
            raise ValueError("langevin: is for adam; noise spoils what L-BFGS knows of the curvature")
        return self


def optimize(
    objective: Objective,
    options: LoopOptions,
    *,
    seed: int = 0,
    budget_s: float | None = None,
    stopper: Stopper | None = None,
    callback: Callback | None = None,
    clock: Callable[[], float] = time.monotonic,
    run: int = 0,
    state: Mapping[str, Any] | None = None,
) -> OptimizeResult:
    """Fit the objective and return what came out.

    Args:
        objective: What is fitted; its parameters hold the last state afterwards.
        options: How.
        seed: Of the loop's own noise (Langevin); everything else random is the objective's.
        budget_s: Seconds after which no iteration begins.
        stopper: May end the search early.
        callback: Called after every iteration; when it raises `StopFill` the run ends with what it has.
        clock: Seconds.
        run: Number of this run among several, for the trace.
        state: What an optimizer knew after an earlier run (`OptimizeResult.state`), to go on from.

    Raises:
        InpaintError: The loss is not finite more often than the guard allows, or the image is not in the end.
    """
    parameters = list(objective.parameters())
    optimizer = make_optimizer(options.optimizer, parameters, lr=options.lr, adam=options.adam, lbfgs=options.lbfgs)
    if state is not None:
        optimizer.load_state_dict(dict(state))
    schedule = Schedule(options.iterations, options.cooldown, budget_s=budget_s, clock=clock)
    guard = Guard(options.guard, parameters, optimizer, check_every=options.check_every)
    langevin = None if options.langevin is None else Langevin(options.langevin, parameters, seed=seed)
    averaging = options.averaging
    average = Average(0.0 if averaging is None else averaging.decay)
    searched, searched_image = average, torch.zeros(0)
    trace: list[TraceRow] = []
    reason: Reason | None = None
    while reason is None:
        step = schedule.next_step()
        lr = options.lr * (guard.lr_factor * schedule.lr_factor)
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad(set_to_none=True)
        evaluation = objective.evaluate(step)
        event, average = guard.check(step, evaluation, average)
        if event is None:
            optimizer.step(_closure(objective, optimizer, step, evaluation, clip=options.clip))  # type: ignore[arg-type]
            # Its gradients are not needed any more, and of a large image they are large.
            evaluation = replace(evaluation, loss=evaluation.loss.detach())
            if langevin is not None:
                langevin.perturb(step, lr=lr)
                langevin.sample(step, evaluation.image)
            if averaging is not None and step.progress >= averaging.start:
                average = average.with_image(evaluation.image, valid=torch.isfinite(evaluation.loss.detach()))
        if not step.cooldown or step.iteration == 0:
            searched, searched_image = average, evaluation.image
        reason = schedule.advance()
        searches = reason is None and not schedule.cooling
        if searches and stopper is not None and stopper.update(schedule.done, evaluation.image, average.value):
            reason = schedule.end_search()
        intermediate = IntermediateResult(
            done=schedule.done,
            total=schedule.total,
            elapsed_s=schedule.elapsed_s,
            remaining_s=(schedule.total - schedule.done) * schedule.pace_s,
            lr=lr,
            loss=evaluation.loss.detach(),
            image=evaluation.image,
            average=average.value,
            cooldown=schedule.cooling,
            run=run,
            event=event,
        )
        if event is not None or reason is not None or step.iteration % options.check_every == 0:
            trace.append(
                TraceRow(
                    run=run,
                    iteration=schedule.done,
                    elapsed_s=schedule.elapsed_s,
                    loss=float(evaluation.loss.detach()),
                    lr=lr,
                    event=event,
                )
            )
        if callback is not None:
            try:
                callback(intermediate)
            except StopFill:
                reason = "interrupted"
    moments = None if langevin is None else langevin.moments
    mean = average.value if moments is None or moments.mean is None else moments.mean
    best = evaluation.image if mean is None else mean
    if schedule.stopped_early and stopper is not None and stopper.best is not None:
        best = stopper.best
    if not bool(torch.isfinite(best).all()):
        raise InpaintError(
            f"the image was not finite after {schedule.done} iterations; try a smaller learning rate or another seed"
        )
    return OptimizeResult(
        image=evaluation.image,
        average=mean,
        best=best,
        searched=searched_image if searched.value is None else searched.value,
        deviation=None if moments is None else moments.deviation,
        iterations=schedule.done,
        elapsed_s=schedule.elapsed_s,
        reason=reason,
        divergences=guard.divergences,
        trace=tuple(trace),
        state=optimizer.state_dict(),
    )


def optimize_several(
    make: Callable[[int], ObjectiveT],
    options: LoopOptions,
    *,
    seed: int = 0,
    runs: int = 1,
    budget_s: float | None = None,
    stopper: Callable[[ObjectiveT], Stopper | None] = lambda objective: None,
    callback: Callback | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> OptimizeResult:
    """Fit objectives from different seeds one after the other, and return the mean of their images.

    Args:
        make: Builds the objective of a seed; run 0 gets `seed` itself.
        options, callback, clock: See `optimize`. `StopFill` ends the whole.
        runs: How many.
        budget_s: Of all runs; each gets an equal share of what is left.
        stopper: Makes the stopper of a run from its objective.
    """
    if runs < 1:
        raise UsageError(f"runs must be at least 1, got {runs}")
    started, results = clock(), list[OptimizeResult]()
    for run in range(runs):
        own = seed if run == 0 else seeds.integer(seed, seeds.RESTART, run)
        share = None if budget_s is None else max(budget_s - (clock() - started), 0.0) / (runs - run)
        objective = make(own)
        results.append(
            optimize(
                objective,
                options,
                seed=own,
                budget_s=share,
                stopper=stopper(objective),
                callback=callback,
                clock=clock,
                run=run,
            )
        )
        if results[-1].reason == "interrupted":
            break
    whole = _whole(results)
    return replace(
        whole[-1],
        best=torch.stack([result.best for result in whole]).mean(dim=0),
        searched=torch.stack([result.searched for result in whole]).mean(dim=0),
        reason=results[-1].reason,
        iterations=sum(result.iterations for result in results),
        elapsed_s=clock() - started,
        divergences=sum(result.divergences for result in results),
        trace=tuple(row for result in results for row in result.trace),
    )


def _whole(results: Sequence[OptimizeResult]) -> list[OptimizeResult]:
    """Return the runs to average: not one that was interrupted after others, nor one that ended at a smaller scale."""
    ended = [result for result in results if result.reason != "interrupted"] or results

    def sizes(result: OptimizeResult) -> tuple[int, int]:
        return result.best.numel(), result.searched.numel()

    return [result for result in ended if sizes(result) == max(map(sizes, ended))]


def _closure(
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    step: StepInfo,
    evaluation: Evaluation,
    *,
    clip: float | None,
) -> Callable[[], Tensor]:
    """Return what an optimizer calls for loss and gradients: once by Adam, several times by L-BFGS.

    The first call takes the evaluation that has been made already.
    """
    ready = [evaluation]

    def closure() -> Tensor:
        if ready:
            loss = ready.pop().loss
        else:
            optimizer.zero_grad(set_to_none=True)
            loss = objective.evaluate(step).loss
        loss.backward()  # type: ignore[no-untyped-call]
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(objective.parameters(), clip)
        return loss.detach()

    return closure
