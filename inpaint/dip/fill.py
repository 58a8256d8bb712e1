"""Deep Image Prior as a fill like any other: `--model dip`."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from inpaint.classical.mean import mean_color
from inpaint.dip.budget import seconds_of
from inpaint.dip.options import DipOptions
from inpaint.dip.restoring import TRAITS, Step, restore
from inpaint.errors import UsageError
from inpaint.fills.checks import check_fill
from inpaint.optimize.randomness import derived_seed
from inpaint.options import validated
from inpaint.types import Fill, Guidance, Progress, ProgressCallback, Seed, StopFill

CPU_BUDGET = "60s"


class DeepImagePrior:
    """Fits a fresh network to the known pixels of each picture; nothing is trained before.

    budget: time per picture, "60s", "5m", seconds, or "none" for the preset's whole course; "auto" is a minute on a CPU
    and the whole course on an accelerator. device: "auto", "cpu", "cuda". preset, iterations, width, exact, tv: see
    `DipOptions`. All else follows from size and hole.

    It keeps all threads of torch busy; where there is only one (OMP_NUM_THREADS=1) several pictures may be filled at
    the same time, which gets more out of several cores than several threads do.
    """

    name = "dip"
    capabilities = TRAITS

    def __init__(
        self,
        *,
        budget: str | float = "auto",
        preset: str | None = None,
        iterations: int | None = None,
        width: int | None = None,
        exact: bool = False,
        tv: float = 0.0,
        device: str = "auto",
    ) -> None:
        self.device = _device(device)
        values: dict[str, Any] = {"preset": preset, "iterations": iterations, "width": width, "exact": exact, "tv": tv}
        self.options = validated(DipOptions, values)
        self.budget_s = budget_of(budget, self.options, self.device)
        self.capabilities = replace(TRAITS, thread_safe=self.device.type == "cpu" and torch.get_num_threads() == 1)

    def fill(
        self,
        image: Tensor,
        mask: Tensor,
        *,
        guidance: Guidance | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill]:
        """Fill a batch as `Inpainter.fill` says, image by image; samples start from different networks.

        Results are float32 on the image's device. `progress` counts thousandths of the whole; when it asks to stop, the
        image under way gets what there is, and the holes of images not reached get the mean known color.
        """
        check_fill(
            image, mask, guidance=guidance, samples=samples, seed=seed, capabilities=self.capabilities, name=self.name
        )
        meter = _Meter(progress, len(image) * samples)
        answers: list[list[tuple[Tensor, Tensor]]] = []
        for number, (picture, hole) in enumerate(zip(image.float(), mask, strict=True)):
            own = derived_seed(seed, number + 1) if isinstance(seed, int) else seed[number]
            answers.append([self._one(picture[None], hole[None], own, k, meter) for k in range(samples)])
        gap = (mask == 1).to(torch.float32)
        return [
            Fill(
                completed=torch.cat([answer[k][0] for answer in answers]),
                raw=torch.cat([answer[k][1] for answer in answers]),
                mask=gap,
            )
            for k in range(samples)
        ]

    def _one(self, image: Tensor, mask: Tensor, seed: int, sample: int, meter: _Meter) -> tuple[Tensor, Tensor]:
        if meter.stopped:
            hole = mask == 1
            plain = torch.where(hole, mean_color(image[0], hole[0]), image)
            return plain, plain
        done = restore(
            "inpaint",
            image,
            mask,
            options=self.options,
            budget_s=self.budget_s,
            device=self.device,
            seed=seed if sample == 0 else derived_seed(seed, sample),
            watch=meter.watch,
        )
        meter.finish_one()
        return done.picture, done.raw


class _Meter:
    """Turns iterates into thousandths of all pictures, a few times a second."""

    def __init__(self, progress: ProgressCallback | None, pictures: int) -> None:
        self.progress = progress
        self.pictures = pictures
        self.done = 0
        self.stopped = False
        self._at = 0.0

    def watch(self, step: Step) -> None:
        now = time.monotonic()
        if self.progress is None or now - self._at < 0.2:
            return
        self._at = now
        seen = step.iterate
        part = (step.region + seen.done / max(seen.total, 1)) / step.regions
        preview = step.picture() if seen.average is not None else None
        self._report(Progress(done=int(1000 * (self.done + part)), total=1000 * self.pictures, preview=preview))

    def finish_one(self) -> None:
        self.done += 1
        if self.progress is not None and not self.stopped:
            with suppress(StopFill):
                self._report(Progress(done=1000 * self.done, total=1000 * self.pictures))

    def _report(self, progress: Progress) -> None:
        assert self.progress is not None
        try:
            self.progress(progress)
        except StopFill:
            self.stopped = True
            raise


def budget_of(budget: str | float, options: DipOptions, device: torch.device) -> float | None:
    """Return the seconds that "auto", "none", "5m" or a number mean; None is without limit.

    Automatic is a minute on a CPU, unless the course itself was asked for by its iterations or as published.
    """
    if budget == "auto":
        free = device.type != "cpu" or options.exact or options.iterations is not None
        return None if free else seconds_of(CPU_BUDGET)
    return seconds_of(str(budget))


def _device(device: str) -> torch.device:
    if device != "auto":
        try:
            return torch.device(device)
        except RuntimeError:
            raise UsageError(f"unknown device '{device}'") from None
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
