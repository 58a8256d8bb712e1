"""Restoring one image with Deep Image Prior: from a task and an image to the answer, at any size.

A hole is worked on in a rectangle around it, at a size and with a network that a budget allows. Results of all tasks
are averages over iterates, not the last one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import TypeAlias

import torch
from torch import Tensor

import inpaint.arguments as arguments
from inpaint.classical.opencv import NavierStokes
from inpaint.dip.analysis import noise_level, preset_for_hole, regions_of, shape_of
from inpaint.dip.building import Problem
from inpaint.dip.options import DipOptions, checked_options
from inpaint.dip.presets import Task, check_task
from inpaint.dip.solving import Solution, solve
from inpaint.errors import InputError
from inpaint.fills.checks import check_fill, check_types, checked_seed
from inpaint.images.mask_rules import Hole
from inpaint.images.regions import Region
from inpaint.optimize.base import IntermediateResult, OptimizeResult, gradients_on
from inpaint.system.devices import resolve_device
from inpaint.types import OneLine

WHITE_NOISE_FROM = 0.02  # deviation, 5 of 255 levels; what compression leaves is not white and lies below
RESERVE = 0.02  # share of a budget kept for putting the result together

Index: TypeAlias = "tuple[EllipsisType, slice, slice]"


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RestoreStep(OneLine):
    """One iteration of a restoration.

    Args:
        intermediate: What the loop gives.
        region, regions: Which rectangle is worked on, from 0, of how many.
        image: Puts the present answer together, (1, 3, H, W).
    """

    intermediate: IntermediateResult
    region: int
    regions: int
    image: Callable[[], Tensor]


RestoreCallback = Callable[[RestoreStep], None]
"""Called after every iteration; raises `StopFill` to get what there is."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Part(OneLine):
    """How one rectangle of the image was restored.

    Args:
        region: Where; of the answer for super-resolve.
        preset, width, scale, depth: With what: channels at most, share of the size, scales of the network.
        warnings: What it says against its own answer, a sentence each.
        result: How it went.
    """

    region: Region
    preset: str
    width: int
    scale: float
    depth: int
    warnings: tuple[str, ...]
    result: OptimizeResult


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Restored(OneLine):
    """The answer to a task.

    Args:
        image: (1, 3, H, W) in [0, 1]; for fills equal to the input outside the hole.
        raw: What the network painted, the input where it painted nothing, not clamped.
        uncertainty: (1, 1, H, W), deviation of Langevin samples over channels, 0 where the image is known; None
            without.
        parts: One per rectangle worked on; none where nothing had to be fitted.
        elapsed_s: How long it took.
    """

    image: Tensor
    raw: Tensor
    uncertainty: Tensor | None = None
    parts: tuple[Part, ...] = ()
    elapsed_s: float = 0.0

    @property
    def reason(self) -> str:
        """Why the work ended."""
        return self.parts[-1].result.reason if self.parts else "finished"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the work says against its answer, a sentence each."""
        several = len(self.parts) > 1
        return tuple(
            f"part {number} of {len(self.parts)}: {text}" if several else text
            for number, part in enumerate(self.parts, start=1)
            for text in part.warnings
        )


def restore(
    task: Task,
    image: Tensor,
    mask: Tensor | None = None,
    *,
    flash: Tensor | None = None,
    options: DipOptions | None = None,
    device: torch.device | str = "cpu",
    seed: int = 0,
    spent_s: float = 0.0,
    callback: RestoreCallback | None = None,
) -> Restored:
    """Restore one image.

    Args:
        task: inpaint and restore (scattered pixels) fill a hole; the others paint everything anew.
        image: (1, 3, H, W) in [0, 1], sides of at least 8 pixels; for the task flash the one without.
        mask: (1, 1, H, W), 1 = hole, for the tasks that fill; what lies in the hole is not read.
        flash: (1, 3, H, W), the same scene with flash, for the task flash.
        options: All else, the budget of time among it.
        device: Where to compute.
        seed: Of every random step.
        spent_s: Seconds of the budget that are gone already.
        callback: Called after every iteration; when it raises `StopFill` the answer is what there is.

    Returns:
        float32 on the image's device, of its size, or `factor` times that for super-resolve.

    Raises:
        InputError: An argument cannot be used, MaskError for the mask.
        UsageError: Task, inputs and options do not fit each other, or there is no such device.
    """
    started, options = time.monotonic(), checked_options(options)
    check_task(task, mask=mask is not None, flash=flash is not None, options=options)
    check_types("tensor", image, mask, flash=flash)
    spent_s, device = arguments.number("spent_s", spent_s), resolve_device(device)
    arguments.function("callback", callback)
    _check_tensors(task, image, mask, flash)
    budget_s = options.budget_s(device)
    if budget_s is not None:
        budget_s = max(budget_s - spent_s, 0.1) * (1 - RESERVE)
    work = _Restoration(task, options, device, checked_seed(seed), budget_s, callback, started)
    with gradients_on():
        # Copies, since what was made in inference mode cannot take part.
        image = image.detach().to(torch.float32, copy=True)
        flash = None if flash is None else flash.detach().clone()
        return work.whole(image, flash) if mask is None else work.fill(image, mask.detach() == 1)


def _check_tensors(task: Task, image: Tensor, mask: Tensor | None, flash: Tensor | None) -> None:
    if image.ndim != 4 or image.shape[0] != 1:
        raise InputError(f"image must have shape (1, 3, H, W), got {tuple(image.shape)}")
    nothing = torch.zeros_like(image[:, :1]) if mask is None else mask
    check_fill(image, nothing, capabilities=DipOptions.capabilities, name=f"the task {task}")
    if flash is not None and flash.shape != image.shape:
        raise InputError(
            f"the image with flash has {flash.shape[-1]} x {flash.shape[-2]} pixels, the one without "
            f"{image.shape[-1]} x {image.shape[-2]}: they must be one scene of one size"
        )


@dataclass(frozen=True)
class _Restoration:
    """One restoration under way; budget_s counts from `started`."""

    task: Task
    options: DipOptions
    device: torch.device
    seed: int
    budget_s: float | None
    callback: RestoreCallback | None
    started: float

    def fill(self, image: Tensor, hole: Tensor) -> Restored:
        """Fill image (1, 3, H, W) where hole (1, 1, H, W) is True."""
        gap: Hole = hole[0, 0].cpu().numpy()
        if not gap.any():
            return Restored(image=image, raw=image)
        shape = shape_of(gap)
        crops = self.options.crop and not self.options.exact and not shape.scattered
        regions = regions_of(gap, around_px=shape.context_px) if crops else [Region.whole(gap.shape)]
        # Outside the rectangles nothing is painted: the image itself stands there.
        raw = image.masked_fill(hole, 0.0)
        regions = [region for region in regions if not _continued(raw, hole, region)]
        uncertainty: Tensor | None = None
        parts: list[Part] = []
        for number, region in enumerate(regions):
            part: Index = (..., *region.slices)
            problem = Problem(
                task=self.task,
                preset=self.options.preset or self._preset_for(gap[region.slices]),
                target=raw[part],
                weights=(~hole[part]).float(),
                hole=gap[region.slices],
            )

            def show(painted: Tensor, part: Index = part) -> Tensor:
                present = raw.clone()
                present[part] = painted.to(raw)
                return _composited(present, image, hole)

            share = region.area / sum(each.area for each in regions[number:])
            solution = self._solve(problem, share, number, len(regions), show)
            raw[part] = solution.image.to(raw)
            if solution.deviation is not None:
                if uncertainty is None:
                    uncertainty = torch.zeros_like(raw[:, :1])
                uncertainty[part] = solution.deviation.to(raw).masked_fill(~hole[part], 0.0)
            parts.append(_part(region, problem, solution, share=region.area / sum(each.area for each in regions)))
            if solution.result.reason == "interrupted":
                for missed in regions[number + 1 :]:
                    rest = (..., *missed.slices)
                    raw[rest] = NavierStokes().fill(image[rest], hole[rest].float())[0].completed
                break
        return self._restored(_composited(raw, image, hole), raw, uncertainty, parts)

    def whole(self, image: Tensor, flash: Tensor | None) -> Restored:
        """Restore the whole image."""
        name = self.options.preset or self._preset_for_whole(image)
        problem = Problem(task=self.task, preset=name, target=image, flash=flash)
        solution = self._solve(problem, 1.0, 0, 1, lambda painted: painted.to(image).clamp(0, 1))
        raw = solution.image.to(image)
        deviation = None if solution.deviation is None else solution.deviation.to(image)
        part = _part(Region.whole(raw.shape[-2:]), problem, solution)
        return self._restored(raw.clamp(0, 1), raw, deviation, [part])

    def _solve(
        self, problem: Problem, share: float, number: int, count: int, show: Callable[[Tensor], Tensor]
    ) -> Solution:
        """Solve rectangle `number` of `count` in its share of the time that is left; `show` puts it into the image."""
        callback = self.callback

        def tell(now: IntermediateResult, painted: Callable[[], Tensor]) -> None:
            if callback is None:
                return
            runs_left = self.options.runs - 1 - now.run
            rest_s = now.remaining_s + runs_left * (now.elapsed_s + now.remaining_s)
            if self.budget_s is not None and count > 1:
                rest_s = self._left_s(self.budget_s)
            now = replace(now, remaining_s=rest_s)
            callback(RestoreStep(intermediate=now, region=number, regions=count, image=lambda: show(painted())))

        left = None if self.budget_s is None else self._left_s(self.budget_s) * share
        return solve(problem, self.options, device=self.device, seed=self.seed, budget_s=left, callback=tell)

    def _left_s(self, budget_s: float) -> float:
        return max(budget_s - (time.monotonic() - self.started), 0.0)

    def _restored(self, image: Tensor, raw: Tensor, uncertainty: Tensor | None, parts: list[Part]) -> Restored:
        elapsed_s = time.monotonic() - self.started
        return Restored(image=image, raw=raw, uncertainty=uncertainty, parts=tuple(parts), elapsed_s=elapsed_s)

    def _preset_for(self, hole: Hole) -> str:
        if self.task == "restore":
            return "missing-most" if hole.mean() > 0.9 else "missing-half"
        name = preset_for_hole(shape_of(hole))
        # The towers of the library preset cost a tenth of vase's and fill blocks as well.
        return "library" if name == "vase" and self.device.type == "cpu" else name

    def _preset_for_whole(self, image: Tensor) -> str:
        if self.task != "denoise":
            return self.task  # these tasks' presets have their names
        # On a CPU the small network of the preset jpeg gets as far in minutes as the wide one in hours.
        hurries = self.budget_s is not None and self.device.type == "cpu"
        white = noise_level(image[0].mean(dim=0).cpu().numpy()) >= WHITE_NOISE_FROM
        return "denoise" if white and not hurries else "jpeg"


def _continued(raw: Tensor, hole: Tensor, region: Region) -> bool:
    """Fill a rectangle that is known in one color alone; return whether it was.

    One color has one continuation; a network would need its time to find it.
    """
    part: Index = (..., *region.slices)
    known = raw[part][0][:, ~hole[part][0, 0]]  # (3, pixels)
    if not bool((known == known[:, :1]).all()):
        return False
    raw[part] = known[:, :1, None]
    return True


def _composited(raw: Tensor, image: Tensor, hole: Tensor) -> Tensor:
    return torch.where(hole, raw.clamp(0, 1), image)


def _part(region: Region, problem: Problem, solution: Solution, *, share: float = 1.0) -> Part:
    """Return what became of a rectangle that gets this share of the time."""
    course = replace(solution.course, whole_s=solution.course.whole_s / share)
    return Part(
        region=region,
        preset=problem.preset,
        width=solution.plan.width,
        scale=solution.plan.scale,
        depth=solution.depth,
        warnings=(*course.remarks(problem.preset, solution.result), *solution.remarks),
        result=solution.result,
    )
