"""Deep Image Prior as a fill like any other: `--model dip`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from inpaint import seeds
from inpaint.dip.budget import seconds_of
from inpaint.dip.fill_options import FillOptions
from inpaint.dip.options import DipOptions
from inpaint.dip.restoring import Step, restore
from inpaint.fills.base import Painted
from inpaint.fills.request import Clock, Request
from inpaint.fills.tensor_fill import TensorFill
from inpaint.options import validated

CPU_BUDGET = "60s"
REPORT_EVERY_S = 0.2


class DeepImagePrior(TensorFill):
    """Fits a fresh network to the known pixels of each image; nothing is trained before.

    It keeps all threads of torch busy; where there is only one (OMP_NUM_THREADS=1) several photos may be filled at the
    same time, which gets more out of several cores than several threads do. Samples start from different networks.

    Args:
        options: See `FillOptions`.
        device: Where it computes.
    """

    name = "dip"
    steps = 1000

    def __init__(self, options: FillOptions | None = None, *, device: torch.device | str = "cpu") -> None:
        chosen = options or FillOptions()
        self.device = torch.device(device)
        self.options = validated(DipOptions, chosen.model_dump(exclude={"budget"}))
        self.budget_s = budget_of(chosen.budget, self.options, self.device)
        alone = self.device.type == "cpu" and torch.get_num_threads() == 1
        self.capabilities = replace(FillOptions.capabilities, thread_safe=alone)

    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Restore image by image, sample by sample."""
        for image, hole, image_seed in zip(request.image, request.hole, request.seeds, strict=True):
            seed = image_seed.integer()
            for sample in range(request.draws):
                done = restore(
                    "inpaint",
                    image[None],
                    hole[None].to(image.dtype),
                    options=self.options,
                    budget_s=self.budget_s,
                    device=self.device,
                    seed=seed if sample == 0 else seeds.integer(seed, seeds.SAMPLE, sample),
                    watch=_reporter(request.clock),
                )
                yield {"raw": done.raw}


def _reporter(clock: Clock) -> Callable[[Step], None]:
    """Return a function that reports iterates a few times a second."""
    last_s = 0.0

    def report(step: Step) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s < REPORT_EVERY_S:
            return
        last_s = now_s
        seen = step.iterate
        share = (step.region + seen.done / max(seen.total, 1)) / step.regions
        clock.report(share, preview=step.picture() if seen.average is not None and clock.listened else None)

    return report


def budget_of(budget: str | float, options: DipOptions, device: torch.device) -> float | None:
    """Return the seconds that "auto", "none", "5m" or a number mean; None is without limit.

    Automatic is a minute on a CPU, unless the course itself was asked for by its iterations or as published.
    """
    if budget == "auto":
        free = device.type != "cpu" or options.exact or options.iterations is not None
        return None if free else seconds_of(CPU_BUDGET)
    return seconds_of(str(budget))
