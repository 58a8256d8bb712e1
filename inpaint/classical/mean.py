"""Every hole gets the mean color of what is known: the floor that any other fill must beat."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

from inpaint.fills.checks import check_fill
from inpaint.types import Capabilities, Fill, Guidance, Progress, ProgressCallback, Seed, StopFill


def mean_color(image: Tensor, hole: Tensor) -> Tensor:
    """Return the mean color of the known pixels of each picture, (..., 3, 1, 1).

    image: (..., 3, H, W); hole: (..., 1, H, W), boolean, with at least one known pixel per picture. Summed in double
    precision where the device has it.
    """
    wide = image.dtype if image.device.type == "mps" else torch.float64
    total = image.to(wide).masked_fill(hole, 0).sum(dim=(-2, -1), keepdim=True)
    return (total / (~hole).sum(dim=(-2, -1), keepdim=True)).to(image.dtype)


class Mean:
    """Fills each picture of a batch with its own mean known color. Needs at least one known pixel per picture."""

    name = "mean"
    capabilities = Capabilities(trained=False, needs_known=True, thread_safe=True, smallest_px=1)

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
        """Fill a batch as `Inpainter.fill` says; all samples are the same fill. raw is one color everywhere."""
        check_fill(
            image, mask, guidance=guidance, samples=samples, seed=seed, capabilities=self.capabilities, name=self.name
        )
        image, hole = image.to(torch.float32), mask == 1
        raw = mean_color(image, hole).expand_as(image)
        if progress is not None:
            with contextlib.suppress(StopFill):  # it is done already
                progress(Progress(done=len(image), total=len(image), remaining_s=0.0))
        return [Fill(completed=torch.where(hole, raw, image), raw=raw, mask=hole.to(torch.float32))] * samples
