"""Restoring one picture with Deep Image Prior: from a task and a picture to the answer, at any size.

A hole is worked on in a rectangle around it, at a size and with a network that a budget allows. Results of all tasks
are averages over iterates, not the last one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from inpaint.classical.opencv import NavierStokes
from inpaint.dip.fill_options import FillOptions
from inpaint.dip.holes import HoleMask, Region, noise_level, preset_for_hole, regions_of, shape_of
from inpaint.dip.options import DipOptions
from inpaint.dip.presets import PRESETS, Task
from inpaint.dip.solving import Problem, Solution, solve
from inpaint.errors import InputError, MaskError, UsageError
from inpaint.fills.checks import check_fill
from inpaint.optimize.steps import Iterate, Outcome

WHITE_NOISE_FROM = 0.02  # deviation, 5 of 255 levels; what compression leaves is not white and lies below
RESERVE = 0.02  # share of a budget kept for putting the result together

_log = logging.getLogger("inpaint.optimize")


@dataclass(frozen=True, kw_only=True)
class Step:
    """An iterate of a restoration under way. region counts from 0; `picture` puts the present whole together."""

    iterate: Iterate
    region: int
    regions: int
    picture: Callable[[], Tensor]


@dataclass(frozen=True, kw_only=True)
class Part:
    """How one rectangle of the picture was restored."""

    region: Region
    preset: str
    width: int
    scale: float
    depth: int
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Restored:
    """The answer to a task.

    picture: (1, 3, H, W) in [0, 1]; for fills equal to the input outside the hole. raw: what the network painted, the
    input where it painted nothing, not clamped. uncertainty: (1, 1, H, W), deviation of Langevin samples over channels;
    None without. parts: one per rectangle worked on. reason: why the last of them ended.
    """

    picture: Tensor
    raw: Tensor
    uncertainty: Tensor | None
    parts: tuple[Part, ...] = field(default=())
    seconds: float = 0.0

    @property
    def reason(self) -> str:
        """Why the work ended."""
        return self.parts[-1].outcome.reason if self.parts else "finished"


def restore(
    task: Task,
    image: Tensor,
    mask: Tensor | None = None,
    *,
    flash: Tensor | None = None,
    options: DipOptions | None = None,
    budget_s: float | None = None,
    device: torch.device | str = "cpu",
    seed: int = 0,
    watch: Callable[[Step], None] | None = None,
) -> Restored:
    """Restore one picture.

    image: (1, 3, H, W) in [0, 1], sides of at least 8 pixels. mask: (1, 1, H, W), 1 = hole, for the tasks inpaint and
    restore (scattered pixels), whose hole content is never looked at. flash: the same scene with flash, of the same
    size, for the task flash; image is then the one without. budget_s: seconds in which the answer is wanted; size,
    width and iterations follow from it. None: the preset's own course. watch: sees every iterate and may raise
    StopFill, which returns what there is.

    The answer is float32 on the image's device, of its size, or `factor` times that for super-resolve.
    Raises InputError or MaskError for pictures and masks that cannot be used, UsageError for options that do not fit.
    """
    options = options or DipOptions()
    _check(task, image, mask, flash, options)
    work = _Restoration(task, options, torch.device(device), seed, budget_s, watch)
    image = image.to(torch.float32)
    if task in ("inpaint", "restore"):
        assert mask is not None
        return work.fill(image, mask == 1)
    return work.whole(image, flash)


class _Restoration:
    def __init__(
        self,
        task: Task,
        options: DipOptions,
        device: torch.device,
        seed: int,
        budget_s: float | None,
        watch: Callable[[Step], None] | None,
    ) -> None:
        self.task = task
        self.options = options
        self.device = device
        self.seed = seed
        self.watch = watch
        self.started = time.monotonic()
        self.budget_s = None if budget_s is None else budget_s * (1 - RESERVE)

    def fill(self, image: Tensor, hole: Tensor) -> Restored:
        """Fill image (1, 3, H, W) where hole (1, 1, H, W) is True."""
        gap: HoleMask = hole[0, 0].cpu().numpy()
        if not gap.any():
            return Restored(picture=image, raw=image, uncertainty=None)
        known = image[0][:, ~hole[0, 0]]  # (3, pixels)
        if bool((known == known[:, :1]).all()):
            # One color has one continuation; a network would need its time to find it.
            plain = known[:, :1, None].expand(1, *image.shape[1:]).clone()
            return Restored(picture=_composed(plain, image, hole), raw=plain, uncertainty=None)
        shape = shape_of(gap)
        whole = Region(0, gap.shape[0], 0, gap.shape[1])
        crops = self.options.crop and not self.options.exact and not shape.scattered
        regions = regions_of(gap, around=shape.context_px) if crops else [whole]
        raw = image.masked_fill(hole, 0.0)
        uncertainty: Tensor | None = None
        parts: list[Part] = []
        for number, region in enumerate(regions):
            rows, columns = slice(region.top, region.bottom), slice(region.left, region.right)
            part_hole = gap[rows, columns]
            name = self.options.preset or self._preset_for(part_hole)
            target, weights = raw[..., rows, columns], (~hole).float()[..., rows, columns]
            problem = Problem(task=self.task, preset=name, target=target, weights=weights, hole=part_hole)

            def show(seen: Tensor, rows: slice = rows, columns: slice = columns) -> Tensor:
                present = raw.clone()
                present[..., rows, columns] = seen.to(raw)
                return _composed(present, image, hole)

            share = region.area / sum(each.area for each in regions[number:])
            solution = self._solve(problem, share, number, len(regions), show)
            raw[..., rows, columns] = solution.picture.to(raw)
            if solution.deviation is not None:
                if uncertainty is None:
                    uncertainty = torch.zeros_like(raw[:, :1])
                uncertainty[..., rows, columns] = solution.deviation.to(raw)
            parts.append(_part(region, problem, solution))
            if solution.outcome.reason == "interrupted":
                self._fill_rest(raw, image, hole, regions[number + 1 :])
                break
        # Outside the rectangles nothing was painted: the picture itself stands there.
        seconds = time.monotonic() - self.started
        picture = _composed(raw, image, hole)
        return Restored(picture=picture, raw=raw, uncertainty=uncertainty, parts=tuple(parts), seconds=seconds)

    def whole(self, image: Tensor, flash: Tensor | None) -> Restored:
        """Restore the whole picture."""
        name = self.options.preset or self._preset_for_whole(image)
        problem = Problem(task=self.task, preset=name, target=image, weights=None, hole=None, flash=flash)
        solution = self._solve(problem, 1.0, 0, 1, lambda seen: seen.to(image).clamp(0, 1))
        raw = solution.picture.to(image)
        region = Region(0, raw.shape[-2], 0, raw.shape[-1])
        deviation = None if solution.deviation is None else solution.deviation.to(image)
        return Restored(
            picture=raw.clamp(0, 1),
            raw=raw,
            uncertainty=deviation,
            parts=(_part(region, problem, solution),),
            seconds=time.monotonic() - self.started,
        )

    def _solve(
        self, problem: Problem, share: float, number: int, count: int, show: Callable[[Tensor], Tensor]
    ) -> Solution:
        left = None
        if self.budget_s is not None:
            left = max(self.budget_s - (time.monotonic() - self.started), 0.0) * share
        watch = self.watch

        def see(iterate: Iterate, picture: Callable[[], Tensor]) -> None:
            if watch is None:
                return
            if self.budget_s is not None and count > 1:
                rest = max(self.budget_s - (time.monotonic() - self.started), 0.0)
                iterate = replace(iterate, remaining_s=rest)
            watch(Step(iterate=iterate, region=number, regions=count, picture=lambda: show(picture())))

        return solve(problem, self.options, device=self.device, seed=self.seed, budget_s=left, watch=see)

    def _preset_for(self, hole: HoleMask) -> str:
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

    def _fill_rest(self, raw: Tensor, image: Tensor, hole: Tensor, regions: list[Region]) -> None:
        """Give the holes that were not reached something plain."""
        for region in regions:
            rows, columns = slice(region.top, region.bottom), slice(region.left, region.right)
            filled = NavierStokes().fill(image[..., rows, columns], hole[..., rows, columns].float())[0]
            raw[..., rows, columns] = filled.completed


def _composed(raw: Tensor, image: Tensor, hole: Tensor) -> Tensor:
    return torch.where(hole, raw.clamp(0, 1), image)


def _part(region: Region, problem: Problem, solution: Solution) -> Part:
    return Part(
        region=region,
        preset=problem.preset,
        width=solution.plan.width,
        scale=solution.plan.scale,
        depth=solution.depth,
        outcome=solution.outcome,
    )


def _check(task: Task, image: Tensor, mask: Tensor | None, flash: Tensor | None, options: DipOptions) -> None:
    if image.ndim != 4 or image.shape[0] != 1:
        raise InputError(f"image must have shape (1, 3, H, W), got {tuple(image.shape)}")
    if task in ("inpaint", "restore"):
        if mask is None:
            raise MaskError(f"the task {task} needs a mask that says which pixels are missing")
        if flash is not None:
            raise UsageError(f"the task {task} takes no flash picture")
    elif mask is not None:
        raise UsageError(f"the task {task} takes no mask; its whole picture is painted anew")
    nothing = torch.zeros_like(image[:, :1]) if mask is None else mask
    check_fill(image, nothing, capabilities=FillOptions.capabilities, name=f"the task {task}")
    if task == "flash":
        if flash is None:
            raise UsageError("the task flash needs the same scene taken with flash")
        if flash.shape != image.shape:
            raise InputError(
                f"the picture with flash has {flash.shape[-1]} x {flash.shape[-2]} pixels, the one without "
                f"{image.shape[-1]} x {image.shape[-2]}: they must be one scene of one size"
            )
    elif flash is not None:
        raise UsageError(f"the task {task} takes no flash picture")
    if options.preset is not None:
        own = PRESETS[options.preset]
        fills = ("inpaint", "restore")
        if own.task != task and not (own.task in fills and task in fills):
            valid = [name for name, each in PRESETS.items() if each.task == task or {each.task, task} <= set(fills)]
            raise UsageError(f"the preset '{options.preset}' is for {own.task}; for {task}: {', '.join(valid)}")
    if options.network == "decoder" and task == "flash":
        raise UsageError("the decoder paints from noise; the task flash needs the network skip")
