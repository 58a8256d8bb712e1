"""Public programs as settings of the same pieces: `--option exact=NAME` computes what they compute, defects included.

- jcjohnson (neural-style, Lua): colors times 256; total variation in the gradient alone, without the differences inside
  the last row and column; sizes rounded up by max pooling and down by average pooling.
- progamergov (neural-style-pt): total variation is the sum of absolute differences. Its option that normalizes
  gradients squares the weights; the one that normalizes weights divides by the largest side of a target.
- leongatys (Gatys' own, for PyTorch).
- pytorch_tutorial: compares before the ReLU, on the first five convolutions, and cuts colors to [0, 1] before each
  evaluation, of which L-BFGS does not know.
- crowsonkb (style-transfer-pytorch): distances of normal distributions by 12 Newton-Schulz steps, Adam over sizes that
  grow by the root of 2, an average of the iterates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from inpaint import seeds
from inpaint.nn.comparing import features_of
from inpaint.nn.spaces import CaffeSpace, RgbSpace, Space
from inpaint.nn.vgg import POOLING_GAINS, VGG, Border, Pooling, VggName
from inpaint.optimize.averaging import Average, AveragingOptions
from inpaint.optimize.guard import GuardOptions
from inpaint.optimize.loop import LoopOptions
from inpaint.optimize.optimizers import AdamOptions, LbfgsOptions
from inpaint.optimize.stages import ORIGINS_LOOP, Stages, noise
from inpaint.style.base import Painted, Scene
from inpaint.style.gatys.canvas import array_of, tensor_of
from inpaint.style.gatys.losses import Wasserstein, absolute, gram_to, nine_points, partial_squares
from inpaint.style.gatys.moments import Moments, moments
from inpaint.style.gatys.objective import StyleObjective, shown_to
from inpaint.style.gatys.options import Exact, GatysOptions
from inpaint.style.gatys.presets import STYLE_LAYERS, Normalization
from inpaint.style.gatys.terms import Content, Style, Weighted

Normalizing: TypeAlias = Literal["gradients", "weights"]
AVERAGE = 0.99  # crowsonkb's


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a public program computes.

    Args:
        network: Whose features.
        space: In which colors move.
        content: Weights by layer.
        style: Weights by layer.
        normalization: Of Gram matrices; None: distances of normal distributions.
        tv: Weight, and whether the loss that is told has it; the function.
        ceil: Poolings that round sizes up.
        gains: Whether other poolings than max are multiplied to its size.
        border: Of the first convolution.
        loop: How it optimizes.
        clamp: Whether colors are cut to [0, 1] before each evaluation.
        start: What it begins with.
        growing: Whether it goes through several sizes, with an average of the iterates.
        iterations: At the first size and at each of the others.
        squares: Whether normalized gradients mean squared weights; else gradients of norm 1.
    """

    network: VggName
    space: Space
    content: Mapping[str, float]
    style: Mapping[str, float]
    normalization: Normalization | None
    tv: tuple[float, bool, Callable[[Tensor], Tensor]] | None = None
    ceil: frozenset[Pooling] = frozenset()
    gains: bool = False
    border: Border = "zeros"
    loop: LoopOptions = ORIGINS_LOOP
    clamp: bool = False
    start: Literal["content", "noise"] = "content"
    growing: bool = False
    iterations: tuple[int, int] = (500, 0)
    squares: bool = False

    def vgg(self, weights: str, pooling: Pooling) -> VGG:
        """Return the network."""
        return VGG(
            self.network,
            weights=weights,
            pooling=pooling,
            pooling_gain=POOLING_GAINS[pooling] if self.gains else 1.0,
            ceil_mode=pooling in self.ceil,
            border=self.border,
        )


NS_LOOP = ORIGINS_LOOP.model_copy(update={"lbfgs": LbfgsOptions(history=100, line_search=None)})
ADAM_LOOP = ORIGINS_LOOP.model_copy(
    update={
        "optimizer": "adam",
        "lr": 0.02,
        "adam": AdamOptions(betas=(0.9, 0.99)),
        "averaging": AveragingOptions(decay=AVERAGE, start=0.0),
        "guard": GuardOptions(divergence_db=None, retries=0),
    }
)
PROGRAMS: Mapping[Exact, Program] = {
    "jcjohnson": Program(
        network="vgg19_caffe",
        space=CaffeSpace(256.0),
        content={"relu4_2": 5.0},
        style=dict.fromkeys(STYLE_LAYERS, 100.0),
        normalization="mean",
        tv=(1e-3, False, partial_squares),
        ceil=frozenset({"max"}),
        loop=NS_LOOP,
        start="noise",
        iterations=(1000, 0),
    ),
    "progamergov": Program(
        network="vgg19_caffe",
        space=CaffeSpace(255.0),
        content={"relu4_2": 5.0},
        style=dict.fromkeys(STYLE_LAYERS, 100.0),
        normalization="mean",
        tv=(1e-3, True, absolute),
        loop=NS_LOOP,
        start="noise",
        iterations=(1000, 0),
        squares=True,
    ),
    "leongatys": Program(
        network="vgg19_caffe",
        space=CaffeSpace(255.0, mean=(255 * 0.40760392, 255 * 0.45795686, 255 * 0.48501961)),
        content={"relu4_2": 1.0},
        style=dict(zip(STYLE_LAYERS, (1e3 / count**2 for count in (64, 128, 256, 512, 512)), strict=True)),
        normalization="hw",
    ),
    "pytorch_tutorial": Program(
        network="vgg19",
        space=RgbSpace(),
        content={"conv2_2": 1.0},
        style=dict.fromkeys(("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"), 1e6),
        normalization="mean",
        clamp=True,
        iterations=(300, 0),
    ),
    "crowsonkb": Program(
        network="vgg19",
        space=RgbSpace(),
        content={"relu4_2": 0.015},
        style=dict(zip(STYLE_LAYERS, (count / 341 for count in (256, 64, 16, 4, 1)), strict=True)),
        normalization=None,
        tv=(2.0, True, nine_points),
        gains=True,
        border="replicate",
        loop=ADAM_LOOP,
        clamp=True,
        growing=True,
        iterations=(1000, 500),
    ),
}


@dataclass
class Problem:
    """What a program minimizes, of images (1, 3, H, W) in [0, 1].

    Args:
        program: Which one.
        network: Its network, in the precision that is wanted.
        content: The image whose content is kept.
        styles: With weights that sum to 1.
        normalizing: See `GatysOptions.exact_normalize`.
        strengths: The weights by the names of losses, as they were used.
    """

    program: Program
    network: VGG
    content: Tensor
    styles: Sequence[tuple[float, Tensor]]
    normalizing: Normalizing | None = None
    strengths: dict[str, float] = field(default_factory=dict, init=False)

    def objective(self, start: Tensor) -> StyleObjective:
        """Return what is optimized; start (1, 3, H, W) in the program's space."""
        losses = [*self._contents(), *self._styles()]
        if self.program.tv is not None:
            weight, told, function = self.program.tv
            losses.append(Weighted(name="tv", weight=weight, told=None if told else 0.0, color=function))
        return StyleObjective(self.network, self.program.space, losses, start=start, clamp=self.program.clamp)

    def _contents(self) -> list[Weighted]:
        shown = shown_to(self.network, self.program.space, self.program.space.of(self.content))
        losses = []
        for layer, target in features_of(self.network, shown, list(self.program.content)).items():
            weight = self._weight(self.program.content[layer], max(target.shape[1:]))
            comparison = Content(layer, target, 1 / target.numel(), self._unit(weight))
            losses.append(self._weighted("content", layer, weight, comparison))
        return losses

    def _styles(self) -> list[Weighted]:
        space, layers, losses = self.program.space, list(self.program.style), []
        found = [
            (weight, moments(self.network, shown_to(self.network, space, space.of(image)), layers))
            for weight, image in self.styles
        ]
        for layer in layers:
            target = Moments.mixed([(weight, each[layer]) for weight, each in found])
            weight = self._weight(self.program.style[layer], len(target.mean))
            normalization = self.program.normalization
            loss = Wasserstein(target, exact=True) if normalization is None else gram_to(target, normalization)
            comparison = Style(layer, loss, unit=self._unit(weight))
            losses.append(self._weighted("style", layer, weight, comparison))
        return losses

    def _weight(self, weight: float, largest_side: int) -> float:
        return weight / largest_side if self.normalizing == "weights" else weight

    def _unit(self, weight: float) -> float | None:
        return weight if self.normalizing == "gradients" and not self.program.squares else None

    def _weighted(self, kind: str, layer: str, weight: float, comparison: Content | Style) -> Weighted:
        name = f"{kind}_{layer}"
        self.strengths[name] = weight
        squared = self.normalizing == "gradients" and self.program.squares
        return Weighted(
            name=name,
            weight=weight**2 if squared else weight,
            told=weight if squared else None,
            comparison=comparison,
        )


def paint(options: GatysOptions, scene: Scene, device: torch.device) -> Painted:
    """Return what a program makes of a scene; its styles go everywhere, mixed by weight."""
    assert options.exact is not None
    program = PROGRAMS[options.exact]
    network = program.vgg(options.weights, options.pooling).to(device)
    content = tensor_of(scene.content)
    styles = [(part.weight, tensor_of(part.style)) for part in scene.parts]
    sizes = [max(scene.size)]
    if program.growing:
        sizes = growing_sizes(options.min_px, min(options.work_px or sizes[0], sizes[0]))
    iterations = [
        usual if given is None else given
        for given, usual in zip((options.iterations, options.refine_iterations), program.iterations, strict=True)
    ]
    planned = [iterations[0], *[iterations[1]] * (len(sizes) - 1)]

    def shown(image: Tensor) -> Tensor:
        return F.interpolate(image.clamp(0, 1), size=scene.size, mode="bicubic").clamp(0, 1)

    runs = Stages(planned, scene.progress, scene.budget_s, shown)
    scales = Scales(program, network, runs, options.exact_normalize)
    for size in sizes:
        scaled = (content, styles)
        if program.growing:
            scale = round(size * (1.0 if options.scale is None else options.scale))
            scaled = (fitted(content, size, enlarge=True), [(weight, fitted(image, scale)) for weight, image in styles])
        begun = program.space.of(scaled[0].to(device))
        if program.start == "noise":
            begun = 0.001 * noise(tuple(begun.shape), seeds.integer(scene.seed, seeds.INPUT, 0)).to(device)
        scales.run(scaled[0].to(device), [(weight, image.to(device)) for weight, image in scaled[1]], begun)
    assert scales.image is not None
    masked = any(part.content_mask is not None or part.style_mask is not None for part in scene.parts)
    return Painted(
        image=array_of(shown(scales.image)),
        warnings=(f"exact={options.exact}: masks were not read while the styles were mixed",) if masked else (),
        details={"size_px": sizes[-1], "stages": runs.records},
    )


@dataclass
class Scales:
    """One size after the other: images, and what Adam knows, are enlarged in between.

    Args:
        program, network, normalizing: See `Problem`.
        runs: What runs them.
    """

    program: Program
    network: VGG
    runs: Stages
    normalizing: Normalizing | None = None
    image: Tensor | None = field(default=None, init=False)
    """(1, 3, h, w) RGB, what came of the last size: the average where there is one."""
    objective: StyleObjective | None = field(default=None, init=False)
    _state: Mapping[str, Any] | None = field(default=None, init=False)

    def run(self, content: Tensor, styles: Sequence[tuple[float, Tensor]], begun: Tensor) -> None:
        """Optimize at the content's size.

        Args:
            content: (1, 3, H, W) in [0, 1].
            styles: With weights that sum to 1.
            begun: (1, 3, H, W) in the program's space, what the first size begins with.
        """
        size = tuple(content.shape[-2:])
        if self.image is not None:
            begun = F.interpolate(self.image, size=size, mode="bicubic").clamp(0, 1)
        problem = Problem(self.program, self.network, content, styles, self.normalizing)
        self.objective = problem.objective(begun)
        state = None if self._state is None else enlarged_state(self._state, size)
        result = self.runs.run(f"{max(size)} px", self.objective, self.program.loop, state=state)
        if result is None:
            return
        self.runs.records[-1]["evaluations"] = self.objective.evaluations
        last = self.objective.colors.detach()
        if self.program.clamp and self.program.loop.optimizer == "adam":
            last = last.clamp(0, 1)
        self.image = self.program.space.back(last)
        if result.average is not None:
            average = Average.of(result.average, decay=AVERAGE, count=result.iterations)
            self.image = average.with_image(self.image).value
            self._state = result.state


def growing_sizes(first_px: int, last_px: int) -> list[int]:
    """Return longest sides from the last one down, each less by the root of 2, in rising order.

    Example:
        >>> growing_sizes(128, 512)
        [128, 181, 256, 362, 512]
    """
    sizes, size = set[int](), last_px
    while size >= first_px or not sizes:
        sizes.add(size)
        size = round(last_px / 2 ** (len(sizes) / 2))
    return sorted(sizes)


def fitted(image: Tensor, longest_px: int, *, enlarge: bool = False) -> Tensor:
    """Return an image (1, 3, H, W) in [0, 1] as Pillow resizes its bytes to fit a square, by its bicubic filter."""
    height, width = image.shape[-2:]
    if max(height, width) <= longest_px and not enlarge:
        longest_px = max(height, width)
    size = (longest_px, round(height * longest_px / width))
    if height >= width:
        size = (round(width * longest_px / height), longest_px)
    pixels = (255 * image[0].permute(1, 2, 0)).round().to(torch.uint8).cpu().numpy()
    resized = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    return torch.from_numpy(resized.copy()).permute(2, 0, 1)[None].to(image) / 255


def enlarged_state(state: Mapping[str, Any], size: tuple[int, ...]) -> dict[str, Any]:
    """Return Adam's state for an image of another size; steps are counted on."""
    of_image = dict(state["state"][0])
    of_image["exp_avg"] = F.interpolate(of_image["exp_avg"], size=size, mode="bicubic")
    of_image["exp_avg_sq"] = F.interpolate(of_image["exp_avg_sq"], size=size, mode="bilinear").relu()
    return {**state, "state": {0: of_image}}
