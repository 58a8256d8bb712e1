"""Painterly harmonization as a method like any other: `--method painterly`."""

from __future__ import annotations

import time
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from inpaint import seeds
from inpaint.blending.base import ArrayBlender, Image, Mask, Painted, Scene
from inpaint.blending.painterly.finish import finished
from inpaint.blending.painterly.masks import inner_rim, loose, window_px
from inpaint.blending.painterly.options import EXACT_ITERATIONS, ITERATIONS, REFINE_ITERATIONS, PainterlyOptions
from inpaint.blending.painterly.passes import Canvas
from inpaint.blending.painterly.running import Passes
from inpaint.blending.painterly.texture import LEVELS, measured_level, texture
from inpaint.errors import InputError
from inpaint.images.resizing import resized
from inpaint.nn.vgg import VGG
from inpaint.nn.vgg_layers import Layers, Space
from inpaint.optimize.base import gradients_on
from inpaint.optimize.stages import Stages
from inpaint.types import StopFill

PROGRAMS_SCALE = 256.0
FINISH_STEPS = 20  # as which the finish counts beside iterations


class Painterly(ArrayBlender):
    """Deep painterly harmonization (Luan, Paris, Shechtman and Bala 2018, arXiv 1804.03189).

    The object is painted anew so that its features are statistics of those places of the painting that it is most like;
    then it is made of the painting's patches.

    Args:
        options: See `PainterlyOptions`.
        device: Where it computes.
    """

    name = "painterly"
    options: PainterlyOptions

    def __init__(self, options: PainterlyOptions | None = None, *, device: torch.device | str = "cpu") -> None:
        self.options = options or PainterlyOptions()
        self.device = torch.device(device)

    @cached_property
    def layers(self) -> Layers:
        """Those of the feature network, loaded when they are first needed."""
        options, exact = self.options, self.options.exact
        network = VGG(options.network, weights=options.weights, ceil_mode=True, fast=not exact)
        return Layers(network.to(self.device), Space(PROGRAMS_SCALE if exact else 255.0))

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayBlender`; aux: `first` and `second`, the images after the two passes."""
        with gradients_on():
            return self._painted(scene)

    def _painted(self, scene: Scene) -> Painted:
        started, options, size = time.monotonic(), self.options, scene.mask.shape
        pasted, style = scene.pasted, self._style_mask(size)
        scale = 1.0 if options.work_px is None else min(options.work_px / max(size), 1.0)
        small = tuple(max(round(side * scale), 1) for side in size)
        exact = options.exact
        layers, space = self.layers, self.layers.space
        painting = self._tensor(resized(scene.target, small))
        tight = resized(scene.mask.astype(np.float32), small)
        if tight.max() <= 0.5:
            tight = tight / max(float(tight.max()), 1e-6)  # an object thinner than a pixel at this size
        canvas = Canvas(
            naive=space.of(self._tensor(resized(pasted, small))),
            painting=space.of(painting),
            tight=torch.from_numpy(tight).to(self.device),
            loose=torch.from_numpy(loose(tight.astype(np.float64), window_px(small)).astype(np.float32)).to(
                self.device
            ),
            style=None if style is None else torch.from_numpy(resized(style.astype(np.float32), small) >= 0.5),
        )
        level = options.style if isinstance(options.style, float) else LEVELS.get(options.style)
        if level is None:
            level = measured_level(painting[0])
        iterations = self._iterations()
        stages = Stages(
            [*iterations, FINISH_STEPS],
            scene.progress,
            scene.budget_s,
            lambda image: torch.from_numpy(_put(_array(image, size), scene)).permute(2, 0, 1)[None],
        )
        passes = Passes(layers, canvas, level, stages, exact=exact)
        first, second = (_array(space.back(image), size) for image in passes.run())
        details = {
            "style": round(level, 3),
            "texture": texture(painting[0]),
            "scale": round(scale, 4),
            "stages": stages.records,
        }
        aux = {"first": _put(first, scene), "second": _put(second, scene)}
        if stages.interrupted:
            warning = ("stopped before the end: the object was not finished by the painting's patches",)
            return Painted(image=aux["second"], aux=aux, warnings=warning, details=details)
        late = scene.budget_s is not None and time.monotonic() - started > scene.budget_s
        chosen = options.model_copy(update={"patches": False}) if late else options
        rng = seeds.generator(scene.seed, seeds.DRAW)
        try:
            second = finished(
                second, pasted, scene.target, scene.mask, options=chosen, rng=rng, style=style, report=stages.tell
            )
        except StopFill:
            details["unfinished"] = True
        return Painted(image=_put(second, scene), aux=aux, details=details)

    def _iterations(self) -> tuple[int, int]:
        """Return how many each pass takes."""
        options = self.options
        usual = (EXACT_ITERATIONS,) * 2 if options.exact else (ITERATIONS, REFINE_ITERATIONS)
        first, second = (
            planned if given is None else given
            for given, planned in zip((options.iterations, options.refine_iterations), usual, strict=True)
        )
        return first, second

    def _style_mask(self, size: tuple[int, ...]) -> Mask | None:
        """Return the part of the painting (H, W) that gives its style; None: all of it."""
        if not self.options.regions:
            return None
        mask = np.zeros(size, np.bool_)
        for top, bottom, left, right in self.options.regions:
            mask[top:bottom, left:right] = True
        if not mask.any():
            raise InputError(
                f"regions={list(self.options.regions)}: none lies in the painting, which has {size[1]} x {size[0]} "
                "pixels; each is top, bottom, left, right"
            )
        return mask

    def _tensor(self, image: Image) -> Tensor:
        """Return an image (H, W, 3) as (1, 3, H, W)."""
        return torch.from_numpy(image).permute(2, 0, 1)[None].to(self.device)


def _put(image: Image, scene: Scene) -> Image:
    """Return the target with an image in the mask, softly along the border, (H, W, 3)."""
    weight = inner_rim(scene.mask.astype(np.float64)).astype(np.float32)[..., None]
    return np.asarray(scene.target + weight * (image.clip(0, 1) - scene.target), np.float32)


def _array(image: Tensor, size: tuple[int, ...]) -> Image:
    """Return an image (1, 3, h, w) as (H, W, 3), enlarged to a size that is not smaller."""
    return resized(image[0].permute(1, 2, 0).float().cpu().numpy(), size)
