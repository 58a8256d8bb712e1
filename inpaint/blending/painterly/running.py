"""Both passes on one pair of images, at the size at which they compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

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
from inpaint.nn.vgg import VGG, receptive_px, stride_of
from inpaint.nn.vgg_layers import Layers
from inpaint.optimize.layered import LayeredObjective
from inpaint.optimize.stages import LOOP, ORIGINS_LOOP, Stages

EXACT_RATES = {"first": 1.0, "second": 0.1}
# In our second pass, whose losses are relative.
OUR_CONTENT = 4.0
SMOOTHNESS_SHARE = 0.0003  # of the program's weight


def worked_on(network: VGG, loose: Tensor, layers: tuple[str, ...]) -> Frame:
    """Return the part of an image that a pass has to see, so that nothing differs from working on the whole.

    Where the mask (H, W) has a say in a feature, everything that the feature sees lies inside.
    """
    reach, stride = 2 * max(receptive_px(network.name, layers)), max(stride_of(layer) for layer in layers)
    size = (loose.shape[0], loose.shape[1])
    box = Region.around((loose > 0).cpu().numpy()).grown(reach, size)
    down, right = -(-box.bottom // stride) * stride, -(-box.right // stride) * stride
    return Frame(
        region=Region(box.top // stride * stride, min(down, size[0]), box.left // stride * stride, min(right, size[1])),
        whole=size,
    )


@dataclass
class Passes:
    """Runs both passes.

    Args:
        layers: The network.
        canvas: The images.
        level: Weight of the style in the second pass.
        stages: What runs them; its function `show` gets whole images here.
        exact: As the authors' program.
    """

    layers: Layers
    canvas: Canvas
    level: float
    stages: Stages
    exact: bool = False

    def run(self) -> tuple[Tensor, Tensor]:
        """Return what came of the first pass and of both, (1, 3, H, W) in the network's space.

        The first two of the stages' iterations are theirs; 0 leaves a pass out.
        """
        network, canvas, exact = self.layers.network, self.canvas, self.exact
        frame = worked_on(network, canvas.loose, FIRST)
        weights = EXACT_FIRST if exact else OUR_FIRST
        first = self._optimized(
            "first", frame, lambda: first_pass(self.layers, canvas, frame, weights=weights, exact=exact), canvas.naive
        )
        weights = self.second_weights()
        narrow = worked_on(network, canvas.loose, SECOND)
        second = self._optimized(
            "second",
            narrow,
            lambda: second_pass(self.layers, canvas, narrow, first, weights=weights, exact=exact),
            first,
        )
        return first, second

    def second_weights(self) -> Weights:
        """Return the weights of the second pass by the painting's noise.

        Layers share them as the paper says: each of four a quarter of the style's, each of two half of the histogram's.
        The paper weighs the histogram like the style. The program weighs it the more the less the total variation
        weighs, so that smooth paintings have none of it.
        """
        smooth = smoothness_weight(texture(self.layers.space.back(self.canvas.painting)[0]))
        if self.exact:
            return Weights(1.0, self.level, (10 - smooth) * self.level, smooth * self.level)
        return Weights(OUR_CONTENT, self.level / 4, self.level / 2, SMOOTHNESS_SHARE * smooth * self.level)

    def _optimized(self, name: str, frame: Frame, make: Callable[[], LayeredObjective], before: Tensor) -> Tensor:
        """Return the whole image after a pass; as before where there is none."""
        if self.stages.interrupted or not self.stages.iterations[len(self.stages.records)]:
            self.stages.skip(name)
            return before
        objective = make()
        show = self.stages.show

        def whole(part: Tensor) -> Tensor:
            image = self.layers.space.back(before)
            frame.part(image, 1).copy_(part)
            return show(image)

        options = ORIGINS_LOOP.model_copy(update={"lr": EXACT_RATES[name]}) if self.exact else LOOP
        self.stages.show = whole
        self.stages.run(name, objective, options)
        self.stages.show = show
        self.stages.records[-1]["evaluations"] = objective.evaluations
        painted = before.clone()
        frame.part(painted, 1).copy_(objective.colors.detach())
        return painted
