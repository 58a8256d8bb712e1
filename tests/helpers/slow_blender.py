"""A blending method that comes nearer to its answer in four steps, and may interrupt its own process on the way."""

from __future__ import annotations

import os
import signal

import numpy as np
import torch

from inpaint.blending.base import ArrayBlender, Painted, Scene
from inpaint.blending.options import BlendOptions
from inpaint.types import Progress, StopFill


class SlowOptions(BlendOptions):
    """interrupt_at: the step in which SIGINT is sent; 0: none."""

    interrupt_at: int = 0


class Slow(ArrayBlender):
    """Brighter with every step."""

    name = "slow"

    def __init__(self, options: SlowOptions | None = None) -> None:
        self.options: SlowOptions = options or SlowOptions()

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayBlender`."""
        step, image = 0, scene.source
        try:
            for step in range(1, 5):
                image = np.full_like(scene.source, step / 4)
                if step == self.options.interrupt_at:
                    os.kill(os.getpid(), signal.SIGINT)
                preview = torch.from_numpy(image).permute(2, 0, 1)[None]
                if scene.progress is not None:
                    scene.progress(Progress(done=step, total=4, preview=preview))
        except StopFill:
            pass
        return Painted(image=image, details={"steps": step, "budget_s": scene.budget_s})
