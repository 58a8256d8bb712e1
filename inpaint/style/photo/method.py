"""Photographic style transfer as a method like any other: `--model photo`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint import seeds
from inpaint.images.resizing import resized
from inpaint.losses.matting import MattingLaplacian
from inpaint.nn.vgg import VGG
from inpaint.nn.vgg_layers import Layers, Space
from inpaint.optimize.base import gradients_on
from inpaint.optimize.stages import LOOP, ORIGINS_LOOP, Stages, noise
from inpaint.style.base import ArrayStylizer, Painted, Scene, reduced
from inpaint.style.photo.fast import colors_by_regions
from inpaint.style.photo.finish import finished
from inpaint.style.photo.objective import EXACT, Region, Weights, photo_objective, style_terms
from inpaint.style.photo.options import EXACT_ITERATIONS, ITERATIONS, REFINE_ITERATIONS, PhotoOptions

PROGRAMS_SCALE = 256.0
PROGRAMS_NOISE = 1e-4  # deviation, of colors from 0 to 256
NOISE = 10.0  # of ours
LEAST_PX = 3  # of a side: a window of the matting Laplacian


class Photo(ArrayStylizer):
    """Deep photo style transfer (Luan, Paris, Shechtman and Bala 2017, arXiv 1703.07511).

    The style's statistics are taken region by region. A second stage adds the matting Laplacian's energy, which is 0
    where the result is an affine function of the content's colors in every small window; at last smooth local maps of
    that kind are all that is left of the result.

    Args:
        options: See `PhotoOptions`.
        device: Where it computes.
    """

    name = "photo"
    options: PhotoOptions

    def __init__(self, options: PhotoOptions | None = None, *, device: torch.device | str = "cpu") -> None:
        self.options = options or PhotoOptions()
        self.device = torch.device(device)

    @cached_property
    def layers(self) -> Layers:
        """Those of the feature network, loaded when they are first needed."""
        options, exact = self.options, self.options.exact
        network = VGG(options.network, weights=options.weights, ceil_mode=True, fast=not exact)
        return Layers(network.to(self.device), Space(PROGRAMS_SCALE if exact else 255.0))

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayStylizer`; aux: `stylized` and `photorealistic`, the images after the two stages."""
        if self.options.strength == 0:
            return Painted(image=scene.content)
        if min(scene.size) < LEAST_PX:
            return Painted(
                image=scene.content, warnings=(f"nothing was painted: a side has less than {LEAST_PX} pixels",)
            )
        with gradients_on():
            return self._painted(scene)

    def _painted(self, scene: Scene) -> Painted:
        options, size, exact = self.options, scene.size, self.options.exact
        scale = 1.0 if options.work_px is None else min(options.work_px / max(size), 1.0)
        small = (max(round(size[0] * scale), LEAST_PX), max(round(size[1] * scale), LEAST_PX))
        layers, space = self.layers, self.layers.space
        shown = resized(scene.content, small)
        image = self._tensor(shown)
        content = space.of(image)
        regions = self._regions(scene, small, scale, space)
        moves = torch.stack([region.mask for region in regions]).sum(dim=0) > 0
        weight = EXACT.style if exact else options.style
        styles = style_terms(layers, content, regions, strength=options.strength, weight=weight, exact=exact)
        laplacian = MattingLaplacian(image[0].double(), eps=options.matting_eps)
        first = replace(EXACT, photorealism=0.0) if exact else Weights(options.content, options.style)
        second = EXACT if exact else replace(first, photorealism=options.photorealism)
        stages = Stages(list(self._iterations()), scene.progress, scene.budget_s, _enlarging(size))
        loop = ORIGINS_LOOP if exact else LOOP
        colors = torch.where(moves, self._start(scene, content, space), content)
        found: dict[str, Tensor] = {}
        for name, weights in (("stylized", first), ("photorealistic", second)):
            if not stages.interrupted and stages.iterations[len(stages.records)]:
                objective = photo_objective(
                    layers,
                    content,
                    styles,
                    laplacian,
                    weights=weights,
                    start=colors,
                    mask=moves.to(content),
                    exact=exact,
                )
                stages.run(name, objective, loop)
                stages.records[-1]["evaluations"] = objective.evaluations
                colors = objective.colors.detach()
            else:
                stages.skip(name)
            found[name] = space.back(colors)
        painted = found["photorealistic"][0].permute(1, 2, 0).float().cpu().numpy()
        # Beyond [0, 1] lies what no image shows, and what maps would have to be bent for.
        result = finished(scene.content, painted if exact else painted.clip(0, 1), options, reduced=shown)
        details = {"scale": round(scale, 4), "stages": stages.records}
        warnings = ("stopped before the end",) if stages.interrupted else ()
        aux = {name: _shown(each, size) for name, each in found.items()}
        return Painted(image=result, aux=aux, warnings=warnings, details=details)

    def _start(self, scene: Scene, content: Tensor, space: Space) -> Tensor:
        """Return what the first stage begins with, in the network's space."""
        options = self.options
        start = options.start or ("noise" if options.exact else "colors")
        if start == "noise":
            drawn = noise(tuple(content.shape), seeds.integer(scene.seed, seeds.INPUT, 0)).to(content)
            return drawn * (PROGRAMS_NOISE if options.exact else NOISE)
        if start == "content":
            return content
        size = (content.shape[-2], content.shape[-1])
        shown, shares = resized(scene.content, size), np.stack([resized(share, size) for share in scene.shares])
        moved = colors_by_regions(shown, scene.parts, shares).clip(0, 1)
        return space.of(self._tensor(shown + options.strength * (moved - shown)))

    def _regions(self, scene: Scene, size: tuple[int, int], scale: float, space: Space) -> list[Region]:
        """Return the parts at the working size; parts of one style share its tensor, so that it is seen once."""
        tensors: dict[int, Tensor] = {}
        found = []
        for part, share in zip(scene.parts, scene.shares, strict=True):
            key = id(part.style)
            smaller = part if scale == 1 else reduced(part, max(round(scale * max(part.style.shape[:2])), 1))
            if key not in tensors:
                tensors[key] = space.of(self._tensor(smaller.style))
            mask = smaller.style_mask
            found.append(
                Region(
                    mask=torch.from_numpy(resized(share, size)).to(self.device),
                    style=tensors[key],
                    style_mask=None if mask is None else torch.from_numpy(mask.astype(np.float32)).to(self.device),
                )
            )
        return found

    def _iterations(self) -> tuple[int, int]:
        """Return how many each stage takes."""
        options = self.options
        usual = (EXACT_ITERATIONS,) * 2 if options.exact else (ITERATIONS, REFINE_ITERATIONS)
        first, second = (
            planned if given is None else given
            for given, planned in zip((options.iterations, options.refine_iterations), usual, strict=True)
        )
        return first, second

    def _tensor(self, image: NDArray[Any]) -> Tensor:
        """Return an image (H, W, 3) as (1, 3, H, W)."""
        return torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None].to(self.device)


def _shown(image: Tensor, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return an image (1, 3, h, w) as (H, W, 3), at a size that is not smaller."""
    return resized(image[0].permute(1, 2, 0).float().cpu().numpy(), size)


def _enlarging(size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """Return what makes previews (1, 3, H, W) in [0, 1] of a stage's images."""

    def preview(image: Tensor) -> Tensor:
        return torch.from_numpy(_shown(image, size).clip(0, 1)).permute(2, 0, 1)[None]

    return preview
