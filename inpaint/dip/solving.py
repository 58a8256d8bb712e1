"""One image, or one rectangle of it: choose size and network, run the loop, enlarge the answer."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.dip.assessment import Course, remarks_on
from inpaint.dip.building import Builder, Problem
from inpaint.dip.costs import available_bytes, memory_bytes
from inpaint.dip.objective import PriorObjective
from inpaint.dip.options import DipOptions
from inpaint.dip.planning import Choice, Plan, candidates, choose, for_time, iteration_cost, within_memory
from inpaint.errors import InpaintError
from inpaint.optimize.base import IntermediateResult, OptimizeResult, StepInfo
from inpaint.optimize.loop import optimize_several
from inpaint.system.environment import is_out_of_memory
from inpaint.types import OneLine

PROBE_ITERATIONS = 3

SolveCallback = Callable[[IntermediateResult, Callable[[], Tensor]], None]
"""Called with every iteration and a function that returns the present answer, (1, 3, H, W)."""

_log = logging.getLogger("inpaint.dip")


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Solution(OneLine):
    """What came out.

    Args:
        image: (1, 3, H, W), not clamped.
        deviation: (1, 1, H, W) of Langevin samples, or None.
        plan: What it was made with.
        depth: Scales of the network.
        course: How far it came.
        remarks: What is to be said against the answer.
        result: How it went.
    """

    image: Tensor
    deviation: Tensor | None
    plan: Plan
    depth: int
    course: Course
    remarks: tuple[str, ...]
    result: OptimizeResult


def solve(
    problem: Problem,
    options: DipOptions,
    *,
    device: torch.device,
    seed: int,
    budget_s: float | None = None,
    callback: SolveCallback | None = None,
) -> Solution:
    """Restore one problem in at most `budget_s` seconds.

    Where memory runs out the working image is made smaller, with a warning, as far as the task allows that.

    Raises:
        InpaintError: Not enough memory; names the size that would fit.
    """
    started = time.monotonic()
    builder = Builder(problem, options, device, seed=seed)
    plan = _plan(builder, seed, budget_s)
    while True:
        left = None if budget_s is None else max(budget_s - (time.monotonic() - started), 0.0)
        try:
            return _run(builder, plan, seed, left, callback)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            height, width = builder.size
            scale = 0.7 * plan.scale
            if not builder.fills or options.exact or min(height, width) * scale < 32:
                raise InpaintError(
                    f"not enough memory to paint {width} x {height} pixels with {plan.width} channels; "
                    f"about {round(width * 0.7)} x {round(height * 0.7)} would fit, or give --width {plan.width // 2}"
                ) from error
            _log.warning("out of memory: working on at %.0f %% of the size", 100 * scale)
            plan = Plan(width=plan.width, scale=scale, iterations=plan.iterations)


def _choices(builder: Builder) -> list[Choice]:
    """Return what there is to choose among, from the best to the cheapest."""
    (height, width), options = builder.size, builder.options
    choices = candidates(builder.preset, height, width)
    if options.width is not None or builder.decodes:
        widest = options.width or max(builder.preset.network.down)
        choices = list(dict.fromkeys((widest, scale) for _, scale in choices))
    return choices[:1] if options.exact else choices


def _plan(builder: Builder, seed: int, budget_s: float | None) -> Plan:
    """Choose what to work with."""
    (height, width), options = builder.size, builder.options

    def needed(channels: int, rows: int, columns: int) -> int:
        network = builder.network_options(channels)
        return memory_bytes(network, rows, columns, element_bytes=builder.arithmetic.dtype.itemsize)

    choices = within_memory(_choices(builder), height, width, needed=needed, free_bytes=available_bytes(builder.device))
    if budget_s is None or options.exact:
        return Plan(width=choices[0][0], scale=choices[0][1], iterations=builder.iterations(choices[0][1]))
    plan = choose(
        builder.preset,
        height,
        width,
        budget_s=budget_s,
        choices=for_time(builder.preset, choices, height, width),
        measure=partial(_seconds_per_iteration, builder, seed),
    )
    return replace(plan, iterations=min(builder.iterations(plan.scale), plan.iterations))


def _seconds_per_iteration(builder: Builder, seed: int, width: int, scale: float) -> float:
    objective = builder.objective(Plan(width=width, scale=scale, iterations=1), seed)
    optimizer = torch.optim.Adam(objective.parameters(), lr=1e-6, fused=builder.arithmetic.fused)
    ends = []
    for number in range(PROBE_ITERATIONS + 1):
        objective.evaluate(StepInfo(iteration=number, progress=1.0)).loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if builder.device.type == "cuda":
            torch.cuda.synchronize(builder.device)
        ends.append(time.monotonic())
    return min(after - before for before, after in itertools.pairwise(ends))


def _run(builder: Builder, plan: Plan, seed: int, budget_s: float | None, callback: SolveCallback | None) -> Solution:
    def show(now: IntermediateResult) -> None:
        if callback is not None:
            callback(now, lambda: _enlarged(now.best, builder.size))

    made: list[PriorObjective] = []

    def make(own_seed: int) -> PriorObjective:
        made[:] = [builder.objective(plan, own_seed)]
        return made[0]

    result = optimize_several(
        make,
        builder.loop_options(plan, budget_s),
        seed=seed,
        runs=builder.options.runs,
        budget_s=budget_s,
        stopper=lambda objective: builder.stopper(objective, plan.iterations),
        callback=show,
    )
    deviation = None
    if result.deviation is not None:
        deviation = _enlarged(result.deviation, builder.size).square().mean(dim=1, keepdim=True).sqrt()
    return Solution(
        image=_enlarged(result.best, builder.size),
        deviation=deviation,
        plan=plan,
        depth=builder.fitted_options(plan).depth,
        course=_course(builder, plan, result),
        remarks=tuple(remarks_on(builder.problem, made[0].observations[0], result)),
        result=result,
    )


def _course(builder: Builder, plan: Plan, result: OptimizeResult) -> Course:
    """Return how far a run came, and what the whole course takes: a larger budget also gets a wider network."""
    best = _choices(builder)[0]
    cost = 1.0
    if not builder.decodes:
        best_cost, own_cost = (
            iteration_cost(builder.preset, *builder.size, choice) for choice in (best, (plan.width, plan.scale))
        )
        cost = best_cost / own_cost
    runs = builder.options.runs
    whole = builder.course(best[1])
    pace_s, timed = _pace(result)
    if timed < PROBE_ITERATIONS and plan.pace_s is not None:
        pace_s, timed = plan.pace_s, PROBE_ITERATIONS
    return Course(
        iterations=result.iterations // runs,
        whole=min(builder.course(plan.scale), whole),
        whole_s=1.2 * cost * runs * whole * pace_s,
        timed=timed,
        quicker=builder.preset.quicker if builder.short_of_time else None,
    )


def _pace(result: OptimizeResult) -> tuple[float, int]:
    """Return the seconds of one iteration of a run, and the number of iterations that told them.

    The first iteration takes longer, since it allocates and chooses kernels: it counts only where there is no other.
    """
    rows = [row for row in result.trace if row.run == result.trace[-1].run]
    timed = rows[-1].iteration - rows[0].iteration
    return ((rows[-1].elapsed_s - rows[0].elapsed_s) / timed, timed) if timed else (rows[0].elapsed_s, 1)


def _enlarged(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the image in color at the size of the task."""
    image = image.expand(-1, 3, -1, -1)
    return image if tuple(image.shape[-2:]) == size else F.interpolate(image, size=size, mode="bicubic")
