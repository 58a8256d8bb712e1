"""Deep image blending as a method like any other: `--method deep`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint import seeds
from inpaint.blending.base import ArrayBlender, Image, Mask, Painted, Scene
from inpaint.blending.deep import origin
from inpaint.blending.deep.objective import BlendObjective, Surroundings
from inpaint.blending.deep.options import DeepOptions, Stage
from inpaint.classical.poisson import blended
from inpaint.nn.features import check_layers
from inpaint.nn.vgg import VGG, receptive_px
from inpaint.optimize.base import gradients_on
from inpaint.optimize.stages import LOOP, ORIGINS_LOOP, Stages, noise

ALIGNED_PX = 16  # the stride of the deepest block: parts that begin so have the features of the whole
STYLE_PX = 1024  # of the target around the mask, longest side, from which the style is taken, at the working size


@dataclass(frozen=True)
class Part:
    """The part of the frame that is worked on.

    Args:
        rows, columns: Of the mask's box and its surroundings.
        style_rows, style_columns: Of what the style is taken from, no less.
        scale: By which both are reduced, 1 = not at all.
    """

    rows: slice
    columns: slice
    style_rows: slice
    style_columns: slice
    scale: float


class Deep(ArrayBlender):
    """Two optimizations of the pixels in the mask: one that joins, one that paints over in the target's manner.

    The first begins with the exact solution of Poisson's equation, so that its gradients are right from the start.

    Args:
        options: See `DeepOptions`.
        device: Where it computes.

    Raises:
        ConfigError: The network has no layer of a name.
    """

    name = "deep"
    options: DeepOptions

    def __init__(self, options: DeepOptions | None = None, *, device: torch.device | str = "cpu") -> None:
        self.options = options or DeepOptions()
        check_layers(self.options.network, [*self.options.style_layers, self.options.content_layer])
        self.device = torch.device(device)

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayBlender`; aux: `poisson` and `first`, the images before the first and the second stage."""
        with gradients_on():
            return self._as_the_origin(scene) if self.options.exact else self._ours(scene)

    def distances(self, image: Image, source: Image, target: Image, mask: Mask) -> dict[str, float]:
        """Return how far any blend is from the target's style and from the source's content: the terms, unweighted.

        Args:
            image: (H, W, 3) in [0, 1], the blend.
            source, target, mask: As of `blend`; the mask is somewhere True.
        """
        scene = Scene(source=source, target=target, mask=mask)
        part = part_of(mask, self.options)
        shown = self._reduced(image[part.rows, part.columns], part.scale)
        stage = Stage(content=1.0, style=1.0)
        objective = BlendObjective(self.network, self._surroundings(scene, part), self.options, stage, start=shown)
        with torch.no_grad():
            return {name: float(value) for name, value in objective.terms(objective.image()).items()}

    def _ours(self, scene: Scene) -> Painted:
        options = self.options
        part = part_of(scene.mask, options)
        joined = blended(scene.source, scene.target, scene.mask)
        surroundings = self._surroundings(scene, part)
        start = self._reduced(joined[part.rows, part.columns], part.scale)

        def enlarged(image: Tensor) -> Tensor:
            """Return the whole frame (1, 3, H, W): what was changed since the start, put on it at full size."""
            whole = _tensor(joined).to(image.device)
            change = image - start
            place = (..., part.rows, part.columns)
            if part.scale < 1:
                change = F.interpolate(change, size=whole[place].shape[-2:], mode="bilinear")
            whole[place] += change
            return whole

        def shown(image: Tensor) -> Tensor:
            inside = torch.from_numpy(scene.mask).to(image.device)
            return torch.where(inside, enlarged(image), _tensor(scene.target).to(image.device)).clamp(0, 1)

        stages = options.stages
        runs = Stages([stage.iterations for stage in stages], scene.progress, scene.budget_s, shown)
        images, content = [start], None
        for name, stage in zip(("first", "refine"), stages, strict=True):
            objective = BlendObjective(self.network, surroundings, options, stage, start=images[-1], content=content)
            if runs.run(name, objective, LOOP) is not None:
                content = objective.image(objective.best).detach()
                images.append(content)
                runs.records[-1] |= {"evaluations": objective.evaluations, "loss": objective.best_loss}
        arrays = [_array(enlarged(image)) for image in images]
        aux = {"poisson": joined, "first": arrays[min(1, len(arrays) - 1)]}
        return Painted(image=arrays[-1], aux=aux, details={"scale": part.scale, "stages": runs.records})

    def _as_the_origin(self, scene: Scene) -> Painted:
        source, target = (255 * _tensor(image).to(self.device) for image in (scene.source, scene.target))
        mask = torch.from_numpy(scene.mask).to(self.device, torch.float32)[None, None]
        if self.options.exact_start == "noise":
            z = noise(tuple(target.shape), seeds.integer(scene.seed, seeds.INPUT, 0))
        else:
            z = 255 * _tensor(blended(scene.source, scene.target, scene.mask))
        z = z.to(self.device).requires_grad_()
        box = Surroundings(source, target, mask, target).content_box
        first = origin.FirstStage(self.network, z, source, target, mask, box)
        iterations = [stage.iterations for stage in self.options.stages]
        runs = Stages(iterations, scene.progress, scene.budget_s, lambda image: image.clamp(0, 1))
        runs.run("first", first, ORIGINS_LOOP)
        with torch.no_grad():
            z.clamp_(0, 255)
        joined = origin.to_bytes(first.composite())
        second = origin.SecondStage(self.network, joined.clone().requires_grad_(), target)
        runs.run("refine", second, ORIGINS_LOOP)
        painted = second.x.detach().clamp(0, 255)
        aux = {"first": _array(joined / 255), "whole": _array(painted / 255)}
        return Painted(image=aux["whole"], aux=aux, details={"stages": runs.records})

    @cached_property
    def network(self) -> VGG:
        """The feature network, loaded when it is first needed."""
        name = "vgg16" if self.options.exact else self.options.network
        return VGG(name, weights=self.options.weights, fast=not self.options.exact).to(self.device)

    def _surroundings(self, scene: Scene, part: Part) -> Surroundings:
        place = (part.rows, part.columns)
        share = self._reduced(scene.mask[place].astype(np.float32)[..., None], part.scale)
        mask = (share >= 0.5).float()
        if 2 * mask.sum() < share.sum():  # too thin to be half of anything
            mask = (share > 0).float()
        return Surroundings(
            source=self._reduced(scene.source[place], part.scale),
            target=self._reduced(scene.target[place], part.scale),
            mask=mask,
            style=self._reduced(scene.target[part.style_rows, part.style_columns], part.scale),
        )

    def _reduced(self, image: np.ndarray, scale: float) -> Tensor:
        """Return an image (H, W, C) as (1, C, h, w), reduced."""
        tensor = _tensor(image).to(self.device)
        if scale == 1:
            return tensor
        size = [max(round(side * scale), 1) for side in tensor.shape[-2:]]
        return F.interpolate(tensor, size=size, mode="bilinear", antialias=True)


def part_of(mask: np.ndarray, options: DeepOptions) -> Part:
    """Return where to work, for a mask (H, W) that is somewhere True."""
    left, right = receptive_px(options.network, [*options.style_layers, options.content_layer])
    spans, sides = list[slice](), mask.shape
    for axis, side in enumerate(sides):
        filled = np.flatnonzero(mask.any(axis=1 - axis))
        start = max(int(filled[0]) - left, 0) // ALIGNED_PX * ALIGNED_PX
        stop = -(-(int(filled[-1]) + 1 + right) // ALIGNED_PX) * ALIGNED_PX
        spans.append(slice(start, min(stop, side)))
    longest = max(span.stop - span.start for span in spans)
    scale = 1.0 if options.work_px is None else min(1.0, options.work_px / longest)
    wide = [_grown(span, round(STYLE_PX / scale), side) for span, side in zip(spans, sides, strict=True)]
    return Part(spans[0], spans[1], wide[0], wide[1], scale)


def _grown(span: slice, length: int, side: int) -> slice:
    """Return the span grown on both ends to a length, moved and cut where the frame ends."""
    more = max(length - (span.stop - span.start), 0)
    start = max(min(span.start - more // 2, side - length), 0)
    return slice(min(start, span.start), min(max(start + length, span.stop), side))


def _tensor(image: np.ndarray) -> Tensor:
    """Return an image (H, W, C) as a new tensor (1, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), np.float32).copy())[None]


def _array(image: Tensor) -> np.ndarray:
    """Return an image (1, 3, H, W) as (H, W, 3)."""
    return np.ascontiguousarray(image[0].permute(1, 2, 0).cpu().numpy())
