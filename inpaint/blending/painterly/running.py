"""Both passes on one pair of images, at the size at which they compute."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from inpaint.blending.painterly.layers import Layers, stride_px
from inpaint.blending.painterly.objective import PaintObjective
from inpaint.blending.painterly.passes import (
    EXACT_FIRST,
    FIRST,
    OUR_FIRST,
    SECOND,
    Canvas,
    Frame,
    Weights,
    first_pass,
    second_pass,
)
from inpaint.blending.painterly.texture import smoothness_weight, texture
from inpaint.images.regions import Region
from inpaint.nn.vgg import VGG, receptive_px
from inpaint.optimize.base import IntermediateResult
from inpaint.optimize.guard import GuardOptions
from inpaint.optimize.loop import LoopOptions, optimize
from inpaint.optimize.optimizers import LbfgsOptions
from inpaint.optimize.schedule import CooldownOptions

LOOP = LoopOptions(
    optimizer="lbfgs",
    lbfgs=LbfgsOptions(history=20, line_search="strong_wolfe"),
    lr=1.0,
    averaging=None,
    cooldown=CooldownOptions(share=0.0),
    guard=GuardOptions(divergence_db=None),
    check_every=1_000_000,
)
# Torch7's L-BFGS: no search along a direction, and whatever comes of it.
EXACT_LOOP = LOOP.model_copy(
    update={
        "lbfgs": LbfgsOptions(history=100, line_search=None),
        "guard": GuardOptions(divergence_db=None, retries=0),
    }
)
EXACT_RATES = {"first": 1.0, "second": 0.1}
SMOOTHNESS_SHARE = 0.001  # of the weight in our second pass, whose losses are relative
FIRST_SHARE = 0.35  # of the time of both passes
ROWS = 50  # of the record of a pass, about

Show = Callable[[IntermediateResult, Callable[[], Tensor], int], None]
"""Told of every iteration: what the loop says, what makes the whole image (1, 3, H, W), and how many went before."""


def worked_on(network: VGG, loose: Tensor, layers: tuple[str, ...]) -> Frame:
    """Return the part of an image that a pass has to see, so that nothing differs from working on the whole.

    Where the mask (H, W) has a say in a feature, everything that the feature sees lies inside.
    """
    reach, stride = 2 * max(receptive_px(network.name, layers)), max(stride_px(network, layer) for layer in layers)
    size = (loose.shape[0], loose.shape[1])
    box = Region.around((loose > 0).cpu().numpy()).grown(reach, size)
    down, right = -(-box.bottom // stride) * stride, -(-box.right // stride) * stride
    return Frame(
        region=Region(box.top // stride * stride, min(down, size[0]), box.left // stride * stride, min(right, size[1])),
        whole=size,
    )


@dataclass
class Passes:
    """Runs both passes within one budget.

    Args:
        layers: The network.
        canvas: The images.
        iterations: Of each pass.
        level: Weight of the style in the second pass.
        exact: As the authors' program.
        budget_s: Of both.
        show: See `Show`.
    """

    layers: Layers
    canvas: Canvas
    iterations: tuple[int, int]
    level: float
    exact: bool = False
    budget_s: float | None = None
    show: Show | None = None
    interrupted: bool = field(default=False, init=False)
    records: list[dict[str, Any]] = field(default_factory=list, init=False)

    def run(self) -> tuple[Tensor, Tensor]:
        """Return what came of the first pass and of both, (1, 3, H, W) in the network's space."""
        started, before = time.monotonic(), self.canvas.naive
        if self.iterations[0]:
            frame = worked_on(self.layers.network, self.canvas.loose, FIRST)
            objective = first_pass(
                self.layers, self.canvas, frame, weights=EXACT_FIRST if self.exact else OUR_FIRST, exact=self.exact
            )
            share = FIRST_SHARE if self.iterations[1] else 1.0
            left = None if self.budget_s is None else self.budget_s * share - (time.monotonic() - started)
            before = self._optimized("first", objective, frame, self.iterations[0], left, 0)
        if self.interrupted or not self.iterations[1]:
            return before, before
        frame = worked_on(self.layers.network, self.canvas.loose, SECOND)
        objective = second_pass(
            self.layers, self.canvas, frame, before, weights=self.second_weights(), exact=self.exact
        )
        left = None if self.budget_s is None else self.budget_s - (time.monotonic() - started)
        return before, self._optimized("second", objective, frame, self.iterations[1], left, self.iterations[0])

    def second_weights(self) -> Weights:
        """Return the weights of the second pass by the painting's noise.

        Layers share them as the paper says: each of four a quarter of the style's, each of two half of the histogram's.
        The paper weighs the histogram like the style. The program weighs it the more the less the total variation
        weighs, so that smooth paintings have none of it.
        """
        smooth = smoothness_weight(texture(self.layers.space.back(self.canvas.painting)[0]))
        if self.exact:
            return Weights(1.0, self.level, (10 - smooth) * self.level, smooth * self.level)
        return Weights(1.0, self.level / 4, self.level / 2, SMOOTHNESS_SHARE * smooth * self.level)

    def _optimized(
        self,
        name: str,
        objective: PaintObjective,
        frame: Frame,
        iterations: int,
        budget_s: float | None,
        done: int,
    ) -> Tensor:
        record: dict[str, Any] = {"pass": name, "planned": iterations, "losses": []}
        self.records.append(record)
        every = max(iterations // ROWS, 1)

        def whole() -> Tensor:
            image = self.layers.space.back(self.canvas.naive)
            frame.part(image, 1).copy_(self.layers.space.back(objective.colors.detach()))
            return image

        def tell(now: IntermediateResult) -> None:
            if now.done % every == 0 or now.done in (1, iterations):
                record["losses"].append([now.done, round(now.elapsed_s, 3), float(now.loss)])
            if self.show is not None:
                self.show(now, whole, done)

        update = {"iterations": iterations, "lr": EXACT_RATES[name] if self.exact else 1.0}
        options = (EXACT_LOOP if self.exact else LOOP).model_copy(update=update)
        budget_s = None if budget_s is None else max(budget_s, 0.0)
        result = optimize(objective, options, budget_s=budget_s, callback=tell)
        self.interrupted = result.reason == "interrupted"
        record |= {
            "iterations": result.iterations,
            "elapsed_s": round(result.elapsed_s, 3),
            "evaluations": objective.evaluations,
            "reason": result.reason,
        }
        painted = self.canvas.naive.clone()
        frame.part(painted, 1).copy_(objective.colors.detach())
        return painted
