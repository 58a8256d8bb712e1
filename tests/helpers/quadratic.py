"""An objective whose minimum is known, and a clock that runs as it is told."""

from __future__ import annotations

import torch

from inpaint.optimize.base import Evaluation, StepInfo


class Quadratic:
    """The image itself is fitted: sum a (x - c)^2 / 2, minimum at c, curvatures a from 1 to 9.

    breaks: factors of the loss by iteration.
    """

    def __init__(self, seed: int = 0, breaks: dict[int, float] | None = None) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.target = torch.rand(1, 3, 5, 7, generator=draw)
        self.curvature = 1 + 8 * torch.rand(1, 3, 5, 7, generator=draw)
        self.x = torch.zeros(1, 3, 5, 7, requires_grad=True)
        self.breaks = breaks or {}
        self.steps: list[StepInfo] = []

    def parameters(self) -> list[torch.Tensor]:
        return [self.x]

    def evaluate(self, step: StepInfo) -> Evaluation:
        self.steps.append(step)
        loss = (self.curvature * (self.x - self.target).square()).sum() / 2
        mse = (self.x.detach() - self.target).square().mean()
        return Evaluation(loss=loss * self.breaks.get(step.iteration, 1.0), image=self.x.detach().clone(), mse=mse)


class Clock:
    """Time that passes by one second whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now
