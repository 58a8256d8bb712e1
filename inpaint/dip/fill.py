"""Deep Image Prior as a fill like any other: `--model dip`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from inpaint import seeds
from inpaint.dip.options import DipOptions, FillOptions
from inpaint.dip.restoring import RestoreCallback, Restored, RestoreStep, restore
from inpaint.fills.base import Painted, TensorFill
from inpaint.fills.request import Clock, Request

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
    options: DipOptions
    steps = 1000

    def __init__(self, options: FillOptions | None = None, *, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.options = DipOptions(**(options or FillOptions()).model_dump())
        alone = self.device.type == "cpu" and torch.get_num_threads() == 1
        self.capabilities = replace(FillOptions.capabilities, thread_safe=alone)

    def details(self) -> Mapping[str, object]:
        """Return where it computes."""
        return {"device": str(self.device)}

    def restore(self, image: Tensor, mask: Tensor, *, seed: int, callback: RestoreCallback | None = None) -> Restored:
        """Fill one image (1, 3, H, W) where mask (1, 1, H, W) is 1, as `inpaint restore --task inpaint` does."""
        return restore("inpaint", image, mask, options=self.options, device=self.device, seed=seed, callback=callback)

    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Restore image by image, sample by sample; the first sample has the image's seed itself."""
        images = zip(request.image, request.hole, request.seeds, strict=True)
        for number, (image, hole, image_seed) in enumerate(images):
            seed = image_seed.integer()
            for sample in range(request.draws):
                restored = self.restore(
                    image[None],
                    hole[None].to(image.dtype),
                    seed=seed if sample == 0 else seeds.integer(seed, seeds.SAMPLE, sample),
                    callback=_reporter(request.clock),
                )
                request.warnings[number * request.draws + sample] = restored.warnings
                yield {"raw": restored.raw}


def _reporter(clock: Clock) -> RestoreCallback:
    """Return a function that reports iterations a few times a second."""
    last_s = 0.0

    def report(step: RestoreStep) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s < REPORT_EVERY_S:
            return
        last_s = now_s
        now = step.intermediate
        share = (step.region + now.done / max(now.total, 1)) / step.regions
        # With a preview the caller is told of every step, however small, and may ask to stop.
        clock.report(share, preview=step.image() if clock.listened else None)

    return report
