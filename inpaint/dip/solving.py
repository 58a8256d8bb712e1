"""One picture, or one rectangle of it: choose size and network, run the loop, enlarge the answer."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.dip.arithmetic import EXACT, fast
from inpaint.dip.budget import Plan, candidates, choose, for_time
from inpaint.dip.costs import available_bytes, memory_bytes
from inpaint.dip.decoder import DecoderOptions, decoder_input
from inpaint.dip.holes import HoleMask, hold_out_blocks
from inpaint.dip.lanczos import LanczosDownsampler
from inpaint.dip.options import DipOptions
from inpaint.dip.presets import PRESETS, Preset, Task, published_iterations, published_noise
from inpaint.dip.prior import PictureFit, View, halved, meshgrid_input, noise_input, shrunk
from inpaint.dip.skip import SkipOptions
from inpaint.errors import InpaintError
from inpaint.optimize import randomness
from inpaint.optimize.loop import optimize_several
from inpaint.optimize.steps import Iterate, LoopOptions, Moment, Outcome
from inpaint.optimize.stopping import HoldOut, MovingVariance, Stopper, WindowVariance

COARSE_FROM_PX = 512  # shorter side of a working picture from which a start at half the size pays
COARSE_SHARE = 0.3  # more saves time, but what was learned small stays coarse in the hole
HOLD_OUT_SHARE = 0.02
MEMORY_SHARE = 0.8  # of what is free
PROBE_ITERATIONS = 3

See = Callable[[Iterate, Callable[[], Tensor]], None]

_log = logging.getLogger("inpaint.optimize")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is given: target (1, C, H, W), weights (1, 1, H, W) with 1 = known or None, hole the same as (H, W) bool."""

    task: Task
    preset: str
    target: Tensor
    weights: Tensor | None = None
    hole: HoleMask | None = None
    flash: Tensor | None = None

    def size(self, factor: int) -> tuple[int, int]:
        """Return height and width of what is painted."""
        height, width = self.target.shape[-2:]
        return (factor * height, factor * width) if self.task == "super-resolve" else (height, width)


@dataclass(frozen=True, kw_only=True)
class Solution:
    """picture: (1, 3, H, W), not clamped; deviation: (1, 1, H, W) or None; what it was made with, and how it went."""

    picture: Tensor
    deviation: Tensor | None
    plan: Plan
    depth: int
    outcome: Outcome


def solve(
    problem: Problem,
    options: DipOptions,
    *,
    device: torch.device,
    seed: int,
    budget_s: float | None = None,
    watch: See | None = None,
) -> Solution:
    """Restore `problem` in at most `budget_s` seconds.

    Runs out of memory: the working picture is made smaller, with a warning, where the task allows that; else an
    InpaintError names the size that would fit.
    """
    started = time.monotonic()
    work = _Work(problem, options, device, seed)
    plan = work.plan(budget_s)
    while True:
        left = None if budget_s is None else max(budget_s - (time.monotonic() - started), 0.0)
        try:
            return work.run(plan, left, watch)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            smaller = work.smaller(plan)
            if smaller is None:
                height, width = problem.size(options.factor)
                raise InpaintError(
                    f"not enough memory to paint {width} x {height} pixels with {plan.width} channels; "
                    f"about {round(width * 0.7)} x {round(height * 0.7)} would fit, or give --width {plan.width // 2}"
                ) from error
            _log.warning("out of memory: working on at %.0f %% of the size", 100 * smaller.scale)
            plan = smaller


class _Work:
    def __init__(self, problem: Problem, options: DipOptions, device: torch.device, seed: int) -> None:
        self.problem = problem
        self.options = options
        self.device = device
        self.seed = seed
        self.preset = PRESETS[problem.preset]
        self.arithmetic = EXACT if options.exact else fast(device)
        self.fills = problem.task in ("inpaint", "restore")
        self.gray = _is_gray(problem.target, problem.weights)
        # Whoever names a preset wants its published setting; one that was chosen for a person may be bettered.
        self._as_published = options.exact or options.preset is not None

    # What to work with

    def plan(self, budget_s: float | None) -> Plan:
        height, width = self.problem.size(self.options.factor)
        widest = self.options.width or max(self.preset.network.down)
        iterations = self.options.iterations or self._published_iterations()
        choices = candidates(self.preset, height, width)
        if self.options.width is not None or self.options.network == "decoder":
            choices = list(dict.fromkeys((widest, scale) for _, scale in choices))
        if not self.fills or self.options.exact:
            choices = [choice for choice in choices if choice[1] == 1.0]
        if self.options.exact:
            choices = choices[:1]
        choices = self._within_memory(choices)
        if budget_s is None or self.options.exact:
            return Plan(width=choices[0][0], scale=choices[0][1], iterations=iterations)
        choices = for_time(self.preset, choices, height, width)
        plan = choose(
            self.preset, height, width, seconds=budget_s, options=choices, measure=self._seconds_per_iteration
        )
        return Plan(width=plan.width, scale=plan.scale, iterations=min(iterations, plan.iterations))

    def smaller(self, plan: Plan) -> Plan | None:
        """Return a plan at about 70 % of the size, or None where the size is the task's or too small already."""
        height, width = self.problem.size(self.options.factor)
        scale = 0.7 * plan.scale
        if not self.fills or self.options.exact or min(height, width) * scale < 32:
            return None
        return Plan(width=plan.width, scale=scale, iterations=plan.iterations)

    def _published_iterations(self) -> int:
        if self.options.network == "decoder":
            return 40000 if self.fills else 1900
        return published_iterations(self.problem.preset, factor=self.options.factor)

    def _within_memory(self, choices: list[tuple[int, float]]) -> list[tuple[int, float]]:
        """Leave out what would not fit into memory; say so when nothing or only a smaller size is left."""
        free = available_bytes(self.device)
        if free is None:
            return choices
        height, width = self.problem.size(self.options.factor)

        def fits(choice: tuple[int, float]) -> bool:
            size = Plan(width=choice[0], scale=choice[1], iterations=1).size(height, width)
            needed = memory_bytes(self._network(choice[0]), *size, element_bytes=self.arithmetic.element_bytes)
            return needed <= MEMORY_SHARE * free

        left = [choice for choice in choices if fits(choice)]
        if not left:
            cheapest = choices[-1]
            scale = 1.0
            while scale > 0.01 and not fits((cheapest[0], scale)):
                scale *= 0.9
            raise InpaintError(
                f"{width} x {height} pixels need more memory than the {free / 1e9:.1f} GB that are free; "
                f"about {int(width * scale)} x {int(height * scale)} would fit"
            )
        if left[0][1] < choices[0][1]:
            _log.warning(
                "%d x %d pixels do not fit into memory at full width: working at %.0f %% of the size",
                width,
                height,
                100 * left[0][1],
            )
        return left

    def _seconds_per_iteration(self, width: int, scale: float) -> float:
        plan = Plan(width=width, scale=scale, iterations=1)
        objective = self._objective(plan, self.seed)
        optimizer = torch.optim.Adam(objective.parameters(), lr=1e-6, fused=self.arithmetic.fused)
        marks = []
        for number in range(PROBE_ITERATIONS + 1):
            objective.evaluate(Moment(iteration=number, progress=1.0)).loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            marks.append(time.monotonic())
        return min(after - before for before, after in itertools.pairwise(marks))

    # The run

    def run(self, plan: Plan, budget_s: float | None, watch: See | None) -> Solution:
        objectives: list[PictureFit] = []
        loop = self._loop_options(plan, budget_s)

        def make(seed: int) -> PictureFit:
            objectives.append(self._objective(plan, seed))
            return objectives[-1]

        def see(iterate: Iterate) -> None:
            if watch is not None:
                watch(iterate, lambda: self._enlarged(iterate.best))

        def stopper() -> Stopper | None:
            return self._stopper(objectives[-1], plan.iterations)

        outcome = optimize_several(
            make, loop, seed=self.seed, runs=self.options.runs, budget_s=budget_s, stopper=stopper, watch=see
        )
        deviation = None
        if outcome.deviation is not None:
            deviation = self._enlarged(outcome.deviation).square().mean(dim=1, keepdim=True).sqrt()
        return Solution(
            picture=self._enlarged(outcome.best),
            deviation=deviation,
            plan=plan,
            depth=self._fitting(plan).depth,
            outcome=outcome,
        )

    def _loop_options(self, plan: Plan, budget_s: float | None) -> LoopOptions:
        exact, decoder = self.options.exact, self.options.network == "decoder"
        lr = self.preset.lr
        if decoder:
            lr = 0.0025 if self.fills else 0.01
        elif not self._as_published:
            # The notebook's flash setting can get stuck at a reddish picture, and its slow rate for missing pixels
            # needs all of its 11000 iterations.
            lr = 0.01 if budget_s is not None or lr > 0.01 else lr
        settles = not exact and not self.options.langevin and self.problem.task != "denoise"
        # Under a budget the plan only expects its number: the clock ends the run, which may be faster than measured.
        most = plan.iterations if budget_s is None else self.options.iterations or self._published_iterations()
        return LoopOptions(
            iterations=most,
            lr=self.options.lr or lr,
            fused=self.arithmetic.fused,
            settle=0.15 if settles else 0.0,
            average_from=0.0 if exact else 0.1,
            langevin=2.0 if self.options.langevin else None,
            weight_decay=5e-8 if self.options.langevin else 0.0,
        )

    def _stopper(self, objective: PictureFit, expected: int) -> Stopper | None:
        kind = self.options.stop
        if kind == "auto":
            kind = "never"
            if not self.options.exact and not self.options.langevin:
                kind = "hold-out" if self.fills else "variance" if self.problem.task == "denoise" else "never"
        patience = max(50, min(1000, expected // 3))
        if kind == "variance":
            return MovingVariance(patience=patience)
        if kind == "window":
            return WindowVariance(patience=patience)
        if kind == "hold-out" and objective.views[0].held is not None:
            return HoldOut(objective.held_out_error, patience=min(500, patience), start=int(0.3 * expected))
        return None

    def _starts_coarse(self, plan: Plan) -> bool:
        if not self.fills or self.options.exact or self.options.network == "decoder":
            return False
        size = plan.size(*self.problem.size(self.options.factor))
        if self.options.coarse is not None:
            return self.options.coarse and min(size) >= 32
        return self.preset.block and min(size) >= COARSE_FROM_PX

    def _network(self, width: int) -> SkipOptions | DecoderOptions:
        channels = 1 if self.gray else 3
        if self.options.network == "decoder":
            own = self.options.width or (256 if self.fills else 128)
            return DecoderOptions(width=own, out_channels=channels)
        narrowed: Preset = self.preset.narrowed(width)
        return narrowed.network.model_copy(update={"out_channels": channels})

    def _fitting(self, plan: Plan) -> SkipOptions | DecoderOptions:
        """Return the network with as many scales as the smallest working picture allows."""
        height, width = plan.size(*self.problem.size(self.options.factor))
        options = self._network(plan.width)
        if isinstance(options, DecoderOptions):
            return options
        return options.fitting(height // 2, width // 2) if self._starts_coarse(plan) else options.fitting(height, width)

    def _objective(self, plan: Plan, seed: int) -> PictureFit:
        coarse = self._starts_coarse(plan)
        size = plan.size(*self.problem.size(self.options.factor))
        options = self._fitting(plan)
        network = self.arithmetic.network(options, seed=randomness.derived_seed(seed, randomness.WEIGHTS))
        views = self._views(options, size, seed, coarse=coarse)
        return PictureFit(
            network.to(self.device),
            views,
            seed=seed,
            noise=self._noise(),
            tv=self.options.tv,
            coarse=COARSE_SHARE if coarse else 0.0,
            dtype=self.arithmetic.dtype,
            channels_last=self.arithmetic.channels_last,
        )

    def _noise(self) -> float:
        if self.options.network == "decoder":
            return 0.0
        if self._as_published or self.preset.calmer is None:
            return published_noise(self.problem.preset, factor=self.options.factor)
        return self.preset.calmer

    def _views(
        self, options: SkipOptions | DecoderOptions, size: tuple[int, int], seed: int, *, coarse: bool
    ) -> list[View]:
        target, weights, hole = self.problem.target, self.problem.weights, self.problem.hole
        if self.gray:
            target = target[:, :1]
        if self.fills and size != tuple(target.shape[-2:]):
            target, weights = shrunk(target, weights, size)
            hole = None if weights is None else (weights[0, 0] == 0).cpu().numpy()
        z = self._input(options, size, seed).to(self.device)
        target = target.to(self.device)
        weights = None if weights is None else weights.to(self.device)
        held = self._held_out(hole, seed)
        reduce = None
        if self.problem.task == "super-resolve":
            reduce = LanczosDownsampler(self.options.factor, lobes=self.options.lobes).to(self.device)
        views = [View(z=z, size=size, target=target, weights=weights, held=held, reduce=reduce)]
        if coarse:
            small, known = halved(target, weights)
            half = (small.shape[-2], small.shape[-1])
            views.append(View(z=z[..., ::2, ::2].contiguous(), size=half, target=small, weights=known))
        return views

    def _held_out(self, hole: HoleMask | None, seed: int) -> Tensor | None:
        wanted = self.options.stop == "hold-out" or (
            self.options.stop == "auto" and not self.options.exact and not self.options.langevin
        )
        if hole is None or not wanted or not hole.any():
            return None
        draw = randomness.derived_seed(seed, randomness.HOLD_OUT)
        held = torch.from_numpy(hold_out_blocks(hole, share=HOLD_OUT_SHARE, seed=draw)).float()
        return held[None, None].to(self.device)  # (1, 1, H, W)

    def _input(self, options: SkipOptions | DecoderOptions, size: tuple[int, int], seed: int) -> Tensor:
        if isinstance(options, DecoderOptions):
            return decoder_input(options, *size, seed=randomness.derived_seed(seed, randomness.INPUT))
        if self.preset.input == "meshgrid":
            return meshgrid_input(*size)
        if self.preset.input == "flash":
            assert self.problem.flash is not None
            return self.problem.flash.float()
        return noise_input(options.in_channels, *size, seed=seed)

    def _enlarged(self, picture: Tensor) -> Tensor:
        """Return the picture in color at the size of the task."""
        size = self.problem.size(self.options.factor)
        picture = picture.expand(-1, 3, -1, -1)
        if tuple(picture.shape[-2:]) == size:
            return picture
        return F.interpolate(picture, size=size, mode="bicubic")


def _is_gray(picture: Tensor, weights: Tensor | None) -> bool:
    known = picture if weights is None else picture * weights
    return bool((known[:, :1] == known).all())


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or ("alloc" in text and "memory" in text)
