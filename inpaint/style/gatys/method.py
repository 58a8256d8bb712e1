"""Style transfer by optimization as a method like any other: `--model gatys`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from inpaint import seeds
from inpaint.nn.comparing import PIXELS_AT_ONCE
from inpaint.nn.features import check_layers
from inpaint.nn.spaces import RgbSpace
from inpaint.nn.vgg import POOLING_GAINS, VGG
from inpaint.optimize.averaging import AveragingOptions
from inpaint.optimize.base import gradients_on
from inpaint.optimize.loop import LoopOptions
from inpaint.optimize.optimizers import AdamOptions, LbfgsOptions
from inpaint.optimize.stages import LOOP, Stages, noise
from inpaint.style.base import ArrayStylizer, Painted, Scene
from inpaint.style.gatys import origins
from inpaint.style.gatys.building import losses_of
from inpaint.style.gatys.canvas import Canvas, array_of, canvas_of, resized, sizes_up_to, tensor_of
from inpaint.style.gatys.objective import StyleObjective
from inpaint.style.gatys.options import GatysOptions
from inpaint.style.gatys.terms import Weighted
from inpaint.types import StylePart

REMEMBERED_BYTES = 2**29  # of steps and gradients, by L-BFGS
LEAST_HISTORY = 3
RATES = {"lbfgs": 1.0, "adam": 0.02}
BETAS = (0.9, 0.99)  # of Adam, and its average: crowsonkb/style-transfer-pytorch
DECAY = 0.99
NOISE_DEVIATION = 0.1  # around middle gray

More = Callable[[Canvas], Sequence[Weighted]]
"""Given what is worked on at one size, returns further losses."""


class Gatys(ArrayStylizer):
    """Colors are changed until their features have the content's values and the styles' statistics.

    First at a small size, where statistics of few layers span the image, then at larger ones. Images of any size: above
    half a megapixel features are computed in strips, twice, with the same sums.

    Args:
        options: See `GatysOptions`.
        device: Where it computes.
        more: Further losses; for methods that build on this one.

    Raises:
        ConfigError: The network has no layer of a name.
    """

    name = "gatys"
    options: GatysOptions

    def __init__(
        self,
        options: GatysOptions | None = None,
        *,
        device: torch.device | str = "cpu",
        more: More = lambda canvas: (),
    ) -> None:
        self.options = options or GatysOptions()
        check_layers(self.options.network, self.options.layers)
        self.device = torch.device(device)
        self.more = more

    @cached_property
    def network(self) -> VGG:
        """The feature network, loaded when it is first needed."""
        options = self.options
        network = VGG(
            options.network,
            weights=options.weights,
            pooling=options.pooling,
            pooling_gain=POOLING_GAINS[options.pooling],
            border=options.border,
            fast=True,
        )
        dtype = torch.bfloat16 if options.precision == "bfloat16" else torch.float32
        return network.to(self.device, dtype).to(memory_format=torch.channels_last)

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayStylizer`; aux: `size_N`, what came of each size but the last."""
        if not self.options.strength:
            return Painted(image=scene.content)
        with gradients_on():
            if self.options.exact:
                return origins.paint(self.options, scene, self.device)
            return self._painted(scene)

    def _prepared(self, part: StylePart, content: object) -> StylePart:
        # crowsonkb's program reduces styles itself, to bytes.
        if self.options.exact == "crowsonkb" and self.options.colors == "style":
            return part
        return super()._prepared(part, content)  # type: ignore[arg-type]

    def _painted(self, scene: Scene) -> Painted:
        options, longest = self.options, max(scene.size)
        last = longest if options.work_px is None else min(options.work_px, longest)
        sizes = sizes_up_to(last, min(options.min_px, last))
        canvas = canvas_of(scene, sizes[0], self.device)

        def enlarged(image: Tensor) -> Tensor:
            """Return (1, 3, H, W): what was changed, put on the content at its full size."""
            if tuple(image.shape[-2:]) == scene.size:
                return image
            whole = tensor_of(scene.content)
            reduced_content = resized(whole.to(image.device), tuple(image.shape[-2:]))
            return whole.to(image.device) + resized(image - reduced_content, scene.size)

        runs = Stages(
            options.planned(len(sizes), options.optimizer),
            scene.progress,
            scene.budget_s,
            lambda image: enlarged(image).clamp(0, 1),
        )
        image = self._start(scene, canvas)
        aux, warnings, values = {}, list[str](), dict[str, float]()
        for number, longest_px in enumerate(sizes):
            if runs.interrupted or not runs.iterations[number]:
                runs.skip(f"{longest_px} px")
                continue
            if number:
                aux[f"size_{sizes[number - 1]}"] = array_of(enlarged(image).clamp(0, 1))
                canvas = canvas_of(scene, longest_px, self.device)
                image = resized(image, tuple(canvas.content.shape[-2:]))
            image = self._begun(image, canvas)
            large = canvas.pixels > PIXELS_AT_ONCE
            if large and options.histogram:
                warnings.append(f"at {longest_px} pixels histograms were left as they had become at smaller sizes")
            losses = [*losses_of(self.network, options, canvas, histogram=not large), *self.more(canvas)]
            if canvas.inside is not None:
                image = torch.where(canvas.inside, image, canvas.content)
            loop = self._loop(canvas.pixels)
            objective = StyleObjective(
                self.network,
                RgbSpace(),
                losses,
                start=image,
                inside=canvas.inside,
                clamp=loop.optimizer == "adam",
            )
            result = runs.run(f"{longest_px} px", objective, loop)
            if result is not None:
                image = objective.colors.detach() if result.average is None else result.best
                image = image.clamp(0, 1)
                values = {name: float(value) for name, value in objective.last.items()}
                runs.records[-1] |= {"evaluations": objective.evaluations, "optimizer": loop.optimizer}
        details = {"size_px": last, "stages": runs.records, "losses": values}
        return Painted(image=array_of(enlarged(image)), aux=aux, warnings=tuple(warnings), details=details)

    def _start(self, scene: Scene, canvas: Canvas) -> Tensor:
        if self.options.start == "noise":
            seed = seeds.integer(scene.seed, seeds.INPUT, 0)
            drawn = noise(tuple(canvas.content.shape), seed).to(canvas.content)
            return (0.5 + NOISE_DEVIATION * drawn).clamp(0, 1)
        if self.options.start == "style":
            return covering(canvas.regions[0].styles[0].image, tuple(canvas.content.shape[-2:]))
        return canvas.content

    def _begun(self, image: Tensor, canvas: Canvas) -> Tensor:
        """Return what a size begins with, (1, 3, h, w), given what the size before has become; a place to build on."""
        return image

    def _loop(self, pixels: int) -> LoopOptions:
        """Return how an image of so many pixels is optimized."""
        options = self.options
        history = min(options.history, REMEMBERED_BYTES // (2 * 3 * 4 * pixels))
        name: Literal["lbfgs", "adam"] = options.optimizer
        if name == "lbfgs" and history < min(LEAST_HISTORY, options.history):
            name = "adam"
        given = options.lr if name == options.optimizer else None
        decay = options.average or (DECAY if name == "adam" else None)
        return LOOP.model_copy(
            update={
                "optimizer": name,
                "lr": RATES[name] if given is None else given,
                "adam": AdamOptions(betas=BETAS),
                "lbfgs": LbfgsOptions(history=max(history, 1), line_search="strong_wolfe"),
                "averaging": None if decay is None else AveragingOptions(decay=decay, start=0.0),
            }
        )


def covering(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return the middle of an image (1, 3, h, w), resized so that it just covers a size (H, W)."""
    factor = max(after / before for before, after in zip(image.shape[-2:], size, strict=True))
    sides = [max(round(before * factor), after) for before, after in zip(image.shape[-2:], size, strict=True)]
    wide = resized(image, tuple(sides))
    top, left = ((side - after) // 2 for side, after in zip(sides, size, strict=True))
    return wide[..., top : top + size[0], left : left + size[1]]
