"""What every blending method shares: what it is given is checked once, and the target outside the mask is kept."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

import inpaint.arguments as arguments
from inpaint.blending.options import BlendOptions
from inpaint.classical.color_transfer import ring_width, transferred
from inpaint.errors import InputError, MaskError
from inpaint.fills.checks import checked_seed, image_array
from inpaint.options import Options
from inpaint.types import Blend, OneLine, ProgressCallback, shown

Image: TypeAlias = NDArray[np.float32]
"""(H, W, 3) in [0, 1]."""
Mask: TypeAlias = NDArray[np.bool_]
"""(H, W), True where the source goes."""
REACH_PX = 2
"""Beyond the mask the source is recolored, too: gradients are taken across its border."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Scene(OneLine):
    """What a method is given, checked; its arrays are the caller's and are not to be written to.

    They are the arguments of `inpaint.types.Blender.blend`. Outside the mask, which is not empty and may be the whole
    frame, the source holds what lies around the object where there is anything, and is not defined by the contract: a
    placed source is continued there by its border.
    """

    source: Image
    target: Image
    mask: Mask
    seed: int = 0
    budget_s: float | None = None
    progress: ProgressCallback | None = None

    @property
    def pasted(self) -> Image:
        """The source in the mask, the target elsewhere (H, W, 3), a new array."""
        return np.where(self.mask[..., None], self.source, self.target)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Painted(OneLine):
    """What a method answers.

    Args:
        image: (H, W, 3) on the scale of [0, 1], used in the mask alone and clipped there.
        aux: As in `Blend`.
        warnings: As in `Blend`.
        details: As in `Blend`.
    """

    image: NDArray[np.floating[Any]]
    aux: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


class ArrayBlender(ABC):
    """Base of all methods: a subclass says its name and writes `paint`."""

    name: ClassVar[str]
    options: Options = Options()  # what the caller chose

    def context_px(self, size: tuple[int, int]) -> int | None:
        """Return how far around a mask's box of this height and width `paint` reads; None: all of the images."""
        return None

    def reads_px(self, size: tuple[int, int]) -> int | None:
        """Return how far around a mask's box of this height and width `blend` reads; None: all of the images.

        A caller with a large target may give a part of it alone, and gets the same.
        """
        own, options = self.context_px(size), self.options
        if own is None or not isinstance(options, BlendOptions) or options.colors == "none":
            return own
        if options.colors_of == "whole":
            return None
        return max(own, math.ceil(ring_width(size[0] * size[1])) + 1)

    def blend(
        self,
        source: NDArray[Any],
        target: NDArray[Any],
        mask: NDArray[np.bool_],
        *,
        seed: int = 0,
        budget_s: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> Blend:
        """See `inpaint.types.Blender`. Without a pixel in the mask the target comes back."""
        source, target = image_array("source", source), image_array("target", target)
        if source.shape != target.shape:
            raise InputError(f"source must have the target's shape {target.shape}, got {source.shape}")
        mask = _checked_mask(mask, target)
        seed = checked_seed(seed)
        if budget_s is not None:
            budget_s = arguments.number("budget_s", budget_s)
        arguments.function("progress", progress)
        if not mask.any():
            return Blend(completed=target.copy(), mask=mask, warnings=("the mask is empty: nothing was blended",))
        scene = Scene(source=source, target=target, mask=mask, seed=seed, budget_s=budget_s, progress=progress)
        painted = self.paint(_prepared(scene, self.options))
        completed = target.copy()
        completed[mask] = painted.image[mask].clip(0, 1)
        return Blend(
            completed=completed, mask=mask, aux=painted.aux, warnings=painted.warnings, details=painted.details
        )

    @abstractmethod
    def paint(self, scene: Scene) -> Painted:
        """Return the image with the source in it; what it is outside the mask is not used."""


def _prepared(scene: Scene, options: Options) -> Scene:
    """Return the scene with the source's colors adapted, where the options ask for that."""
    if not isinstance(options, BlendOptions) or options.colors == "none":
        return scene
    source = transferred(
        scene.source,
        scene.mask,
        scene.target,
        method=options.colors,
        around=options.colors_of,
        reach_px=REACH_PX,
    )
    return replace(scene, source=np.asarray(source, np.float32))


def _checked_mask(mask: object, target: Image) -> Mask:
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != target.shape[:2]:
        raise MaskError(f"mask must be a bool array {target.shape[:2]} to match the target, got {shown(mask)}")
    return mask
