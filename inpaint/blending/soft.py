"""Blending by weights: a feathered rim, and bands of frequencies each over its own width."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]

from inpaint.blending.base import ArrayBlender, Image, Mask, Painted, Scene
from inpaint.blending.options import FeatherOptions, MultibandOptions
from inpaint.blending.placing import continued
from inpaint.classical.bands import weighted_bands
from inpaint.images.regions import Region


class Feather(ArrayBlender):
    """The source with a rim inside the mask in which it becomes visible, linearly with the distance from the border."""

    name = "feather"
    options: FeatherOptions

    def __init__(self, options: FeatherOptions | None = None) -> None:
        self.options = options or FeatherOptions()

    def context_px(self, size: tuple[int, int]) -> int | None:
        """One pixel around it says that the mask ends there."""
        return self.options.width + 1

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayBlender`."""
        image = scene.target.copy()
        near = Region.around(scene.mask).grown(self.options.width + 1, scene.mask.shape).slices
        weight = feathered(scene.mask[near], self.options.width)[..., None]
        image[near] += weight * (scene.source[near] - scene.target[near])
        return Painted(image=image)


def feathered(mask: Mask, width_px: int) -> Image:
    """Return the weight (H, W) of a mask: 0 outside, then rising through a rim of this width to 1.

    The frame's border is no border of the mask.

    Example:
        >>> feathered(np.array([[False, True, True, True, True]]), 3).tolist()
        [[0.0, 0.25, 0.5, 0.75, 1.0]]
    """
    if mask.all():
        return np.ones(mask.shape, np.float32)
    weight: Image = (ndimage.distance_transform_edt(mask) / (width_px + 1)).clip(0, 1).astype(np.float32)
    return weight


class Multiband(ArrayBlender):
    """Fine detail of the source up to the mask's border, its broad colors only farther inside.

    Burt and Adelson's blend, with the rims of all bands inside the mask, since outside nothing may change. What they
    read of the source outside is its color at the mask's border: what lies around the object in the source would
    otherwise shine into it.
    """

    name = "multiband"
    options: MultibandOptions

    def __init__(self, options: MultibandOptions | None = None) -> None:
        self.options = options or MultibandOptions()

    def context_px(self, size: tuple[int, int]) -> int | None:
        """The broadest band reads so far."""
        return int(2 ** (self._bands(size) + 2))

    def _bands(self, size: tuple[int, int]) -> int:
        return self.options.bands or max(1, math.floor(math.log2(min(size))) - 2)

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayBlender`."""
        box = Region.around(scene.mask)
        bands = self._bands(box.size)
        near = box.grown(2 ** (bands + 2), scene.mask.shape).slices
        mask, target = scene.mask[near], scene.target[near]
        image = scene.target.copy()
        image[near] += weighted_bands(continued(scene.source[near], mask) - target, mask, bands, inwards=True)
        return Painted(image=image)
