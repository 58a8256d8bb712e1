"""What the fills that work on one picture after the other share: the batch, progress, stopping, samples."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint.classical.mean import mean_color
from inpaint.fills.checks import check_fill
from inpaint.types import Capabilities, Fill, Guidance, Progress, ProgressCallback, Seed, StopFill

Picture: TypeAlias = npt.NDArray[np.float64]
"""(H, W, 3) in [0, 1]."""
Hole: TypeAlias = npt.NDArray[np.bool_]
"""(H, W), True = to be filled."""
Report: TypeAlias = Callable[[float], None]
"""Told the share of this picture that is done, from 0 to 1; raises StopFill when the person has had enough."""


class PictureFill(ABC):
    """A fill of the batch, picture by picture, on the CPU; results lie on the picture's device as float32.

    A subclass says its name and capabilities and paints one picture in `_paint`. raw equals completed: these methods keep the
    known pixels themselves.
    """

    name: str
    capabilities: Capabilities
    steps = 1
    """Of progress per picture; more than one for fills whose pictures take long."""

    @abstractmethod
    def _paint(self, picture: Picture, hole: Hole, *, seed: tuple[int, ...], report: Report) -> Picture:
        """Return the picture (H, W, 3) with its hole painted; what it returns elsewhere does not matter.

        picture: 0 in the hole, so that the hole's content cannot be read. hole: neither empty nor everything. seed: of
        this picture and sample. When `report` raises StopFill, the best so far may be returned instead.
        """

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
        """Fill a batch as `Inpainter.fill` says; without randomness all samples are the same fill.

        `progress` counts steps, the same number for each picture and sample; when it asks to stop, the holes of the
        pictures not reached get their mean known color. Raises MaskError when a picture has no known pixel.
        """
        check_fill(
            image, mask, guidance=guidance, samples=samples, seed=seed, capabilities=self.capabilities, name=self.name
        )
        image, hole = image.to(torch.float32), mask == 1
        draws = samples if self.capabilities.stochastic else 1
        steps = _Steps(len(image) * draws, self.steps, progress)
        fills = []
        for draw in range(draws):
            painted = []
            for number, (picture, gap) in enumerate(zip(image, hole, strict=True)):
                own = (seed % 2**64, number) if isinstance(seed, int) else (seed[number] % 2**64,)
                painted.append(self._one(picture, gap, seed=(*own, draw), steps=steps))
            completed = torch.where(hole, torch.stack(painted), image)
            fills.append(Fill(completed=completed, raw=completed, mask=hole.to(torch.float32)))
        return fills if draws == samples else fills * samples

    def _one(self, picture: Tensor, hole: Tensor, *, seed: tuple[int, ...], steps: _Steps) -> Tensor:
        """Paint one picture (3, H, W) where hole (1, H, W)."""
        if steps.stopped:
            return mean_color(picture, hole).expand_as(picture)
        if not hole.any():
            steps.finish_picture()
            return picture
        known = picture.masked_fill(hole, 0.0).movedim(0, -1).cpu().double().numpy()  # (H, W, 3)
        painted = self._paint(known, hole[0].cpu().numpy(), seed=seed, report=steps.report)
        steps.finish_picture()
        return torch.from_numpy(painted).movedim(-1, 0).clamp(0, 1).to(picture)  # (3, H, W)


class _Steps:
    """Turns the shares of single pictures into one count with a remaining time, and remembers the wish to stop."""

    def __init__(self, pictures: int, per_picture: int, progress: ProgressCallback | None) -> None:
        self.stopped = False
        self._total = pictures * per_picture
        self._per_picture = per_picture
        self._progress = progress
        self._pictures_done = 0
        self._told = 0
        self._started = time.monotonic()

    def report(self, share: float) -> None:
        """Say that this share of the current picture is done. Raises StopFill when the person has had enough."""
        self._tell(int((self._pictures_done + min(share, 1.0)) * self._per_picture))

    def finish_picture(self) -> None:
        """Count the current picture as done."""
        self._pictures_done += 1
        with contextlib.suppress(StopFill):  # this picture is done already; the next one asks `stopped`
            self._tell(self._pictures_done * self._per_picture)

    def _tell(self, done: int) -> None:
        if self._progress is None or self.stopped or done <= self._told:
            return
        self._told = done
        remaining_s = (time.monotonic() - self._started) * (self._total / done - 1)
        try:
            self._progress(Progress(done=done, total=self._total, remaining_s=remaining_s))
        except StopFill:
            self.stopped = True
            raise
