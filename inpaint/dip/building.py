"""From what is given to what the loop runs: network, data at every scale, input, schedule, early stopping."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint import seeds
from inpaint.dip.analysis import hold_out_blocks, hold_out_pixels
from inpaint.dip.arithmetic import EXACT, fast
from inpaint.dip.decoder import DecoderOptions, decoder_input
from inpaint.dip.layers import LanczosDownsampler
from inpaint.dip.objective import Observation, PriorObjective, halved, meshgrid_input, noise_input, shrunk
from inpaint.dip.options import CPU_BUDGET_S, DipOptions, SkipOptions
from inpaint.dip.planning import Plan, course
from inpaint.dip.presets import FILL_TASKS, PRESETS, Task, published_iterations, published_noise
from inpaint.images.mask_rules import Hole
from inpaint.optimize.averaging import AveragingOptions, LangevinOptions
from inpaint.optimize.loop import LoopOptions
from inpaint.optimize.optimizers import AdamOptions
from inpaint.optimize.schedule import CooldownOptions
from inpaint.optimize.stopping import HoldOut, MovingVariance, Stopper, WindowVariance

COARSE_FROM_PX = 512  # shorter side of a working image from which a start at half the size pays
COARSE_SHARE = 0.3  # more saves time, but what was learned small stays coarse in the hole
HOLD_OUT_SHARE = 0.02


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is given.

    Args:
        task, preset: What it is.
        target: (1, C, H, W).
        weights: (1, 1, H, W), 1 = known; None = everything.
        hole: The same as (H, W), True = unknown.
        flash: (1, 3, H, W) for the task flash.
    """

    task: Task
    preset: str
    target: Tensor
    weights: Tensor | None = None
    hole: Hole | None = None
    flash: Tensor | None = None

    def size(self, factor: int) -> tuple[int, int]:
        """Return height and width of what is painted."""
        height, width = self.target.shape[-2:]
        return (factor * height, factor * width) if self.task == "super-resolve" else (height, width)


class Builder:
    """Makes the parts of a run for one problem; which of them, options and device decide."""

    def __init__(self, problem: Problem, options: DipOptions, device: torch.device, *, seed: int) -> None:
        self.problem = problem
        self.seed = seed
        self.options = options
        self.device = device
        # Whoever names a preset wants its published setting; one that was chosen automatically may be bettered.
        self._as_published = options.exact or options.preset is not None
        self.preset = PRESETS[problem.preset]
        if self._as_published:
            self.preset = self.preset.model_copy(update={"published_px": None})
        self.arithmetic = EXACT if options.exact else fast(device)
        self.fills = problem.task in FILL_TASKS
        self.decodes = options.network == "decoder"
        self.size = problem.size(options.factor)
        known = problem.target if problem.weights is None else problem.target * problem.weights
        self.gray = bool((known[:, :1] == known).all())
        # Langevin samples and the published course come from the whole run, and nothing is kept from the loss.
        self._plain_run = options.exact or options.langevin
        self.stop = options.stop
        if options.stop == "auto" and not self._plain_run:
            self.stop = "hold-out" if self.fills or problem.task == "denoise" else "never"

    @property
    def short_of_time(self) -> bool:
        """Whether the budget is the default one of a CPU, or less."""
        budget_s = self.options.budget_s(self.device)
        return budget_s is not None and budget_s <= CPU_BUDGET_S

    def iterations(self, scale: float) -> int:
        """Return how many at most at a share of the size: as asked for, or the course of the preset."""
        return self.options.iterations or self.course(scale)

    def course(self, scale: float) -> int:
        """Return the iterations of the preset's course at a share of the size."""
        if self.decodes:
            return 40000 if self.fills else 1900
        if self.preset.published_px is not None:
            return course(self.preset, self.size[0] * self.size[1] * scale**2)
        return published_iterations(self.problem.preset, factor=self.options.factor)

    def network_options(self, width: int) -> SkipOptions | DecoderOptions:
        """Return the network of at most `width` channels, with all its scales."""
        channels = 1 if self.gray else 3
        if self.decodes:
            return DecoderOptions(width=self.options.width or (256 if self.fills else 128), out_channels=channels)
        return self.preset.narrowed(width).network.model_copy(update={"out_channels": channels})

    def fitted_options(self, plan: Plan) -> SkipOptions | DecoderOptions:
        """Return the network with as many scales as the smallest working image allows."""
        height, width = plan.size(*self.size)
        options = self.network_options(plan.width)
        if isinstance(options, DecoderOptions):
            return options
        return options.fitting(height // 2, width // 2) if self._starts_coarse(plan) else options.fitting(height, width)

    def objective(self, plan: Plan, seed: int) -> PriorObjective:
        """Return a fresh network and its data."""
        options = self.fitted_options(plan)
        network = self.arithmetic.network(options, seed=seeds.integer(seed, seeds.WEIGHTS, 0))
        return PriorObjective(
            network.to(self.device),
            self._observations(options, plan, seed),
            seed=seed,
            noise=self._noise(),
            tv=self.options.tv,
            coarse=COARSE_SHARE,
            dtype=self.arithmetic.dtype,
            channels_last=self.arithmetic.channels_last,
        )

    def loop_options(self, plan: Plan, budget_s: float | None) -> LoopOptions:
        """Return how the loop runs."""
        lr = self.preset.lr
        if self.decodes:
            lr = 0.0025 if self.fills else 0.01
        elif not self._as_published:
            # The notebook's flash setting can get stuck at a reddish image, and its slow rate for missing pixels
            # needs all of its 11000 iterations.
            lr = 0.01 if budget_s is not None or lr > 0.01 else lr
        langevin = self.options.langevin
        cools = not self._plain_run and self.problem.task != "denoise"
        return LoopOptions(
            # Under a budget the plan's number is an estimate: the clock ends the run, which may be faster than that.
            iterations=plan.iterations if budget_s is None else self.iterations(plan.scale),
            lr=self.options.lr or lr,
            adam=AdamOptions(fused=self.arithmetic.fused, weight_decay=5e-8 if langevin else 0.0),
            cooldown=CooldownOptions(share=0.15 if cools else 0.0),
            averaging=AveragingOptions(start=0.0 if self.options.exact else 0.1),
            langevin=LangevinOptions() if langevin else None,
        )

    def stopper(self, objective: PriorObjective, expected: int) -> Stopper | None:
        """Return what may end the search of a run of about `expected` iterations early."""
        patience = max(50, min(1000, expected // 3))
        if self.stop == "variance":
            return MovingVariance(patience=patience)
        if self.stop == "window":
            return WindowVariance(patience=patience)
        if self.stop == "hold-out" and objective.observations[0].held_out is not None:
            patience, start = min(500, patience), int(0.3 * expected)
            return HoldOut(objective.held_out_mse, patience=patience, start=start, keep=not self.fills)
        return None

    def _starts_coarse(self, plan: Plan) -> bool:
        if not self.fills or self.options.exact or self.decodes:
            return False
        shorter = min(plan.size(*self.size))
        if self.options.coarse is not None:
            return self.options.coarse and shorter >= 32
        return self.preset.wide_holes and shorter >= COARSE_FROM_PX

    def _noise(self) -> float:
        if self.decodes:
            return 0.0
        if self._as_published or self.preset.fast_noise is None:
            return published_noise(self.problem.preset, factor=self.options.factor)
        return self.preset.fast_noise

    def _observations(self, options: SkipOptions | DecoderOptions, plan: Plan, seed: int) -> list[Observation]:
        size = plan.size(*self.size)
        target, weights, hole = self.problem.target, self.problem.weights, self.problem.hole
        if self.gray:
            target = target[:, :1]
        if self.fills and size != tuple(target.shape[-2:]):
            target, weights = shrunk(target, weights, size)
            hole = None if weights is None else (weights[0, 0] == 0).cpu().numpy()
        z = self._input(options, size, seed).to(self.device)
        target = target.to(self.device)
        weights = None if weights is None else weights.to(self.device)
        held_out = self._held_out(hole, size)
        downsample = None
        if self.problem.task == "super-resolve":
            downsample = LanczosDownsampler(self.options.factor, lobes=self.options.lobes).to(self.device)
        found = [Observation(z=z, size=size, target=target, weights=weights, held_out=held_out, downsample=downsample)]
        if self._starts_coarse(plan):
            small, known = halved(target, weights)
            half = (small.shape[-2], small.shape[-1])
            found.append(Observation(z=z[..., ::2, ::2].contiguous(), size=half, target=small, weights=known))
        return found

    def _held_out(self, hole: Hole | None, size: tuple[int, int]) -> Tensor | None:
        """Return the pixels to keep from the loss, (1, 1, H, W), the same in all runs: their average has seen none."""
        if self.stop != "hold-out":
            return None
        draw = seeds.integer(self.seed, seeds.HOLD_OUT, 0)
        if self.problem.task == "denoise":
            kept = hold_out_pixels(size, share=HOLD_OUT_SHARE, seed=draw)
        elif hole is not None and hole.any():
            kept = hold_out_blocks(hole, share=HOLD_OUT_SHARE, seed=draw)
        else:
            return None
        if not kept.any():
            return None
        return torch.from_numpy(kept).float()[None, None].to(self.device)  # (1, 1, H, W)

    def _input(self, options: SkipOptions | DecoderOptions, size: tuple[int, int], seed: int) -> Tensor:
        if isinstance(options, DecoderOptions):
            return decoder_input(options, *size, seed=seeds.integer(seed, seeds.INPUT, 0))
        if self.preset.input == "meshgrid":
            return meshgrid_input(*size)
        if self.preset.input == "flash":
            assert self.problem.flash is not None
            return self.problem.flash.float()
        return noise_input(options.in_channels, *size, seed=seed)
